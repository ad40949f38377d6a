"""Settings of the network, its loss and its optimizer."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.config.section import Amount, Count, Fraction, Section


class ModelConfig(Section):
    """The network."""

    name: str = Field("resnet34", description="resnet18, 34, 50, 101, 152, plain18, plain34 or simple_cnn")
    weights: str = Field(
        "",
        description="to begin with: imagenet, or a file: .safetensors (of a run, or with torchvision's names) or a "
        "stock Keras ResNet's .weights.h5; empty: drawn with train.seed",
    )
    layout: Literal["auto", "notebook", "torchvision", "keras"] = Field(
        "auto",
        description="padding, strides, epsilon, input scale; auto: those of the weights, or the notebook's",
    )
    channels: Literal[1, 3] = Field(1, description="films are gray; 3 repeats them for weights that need it")
    conv_bias: bool = Field(True, description="biases in the trunk's convolutions, as in the notebook")
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="after the global pooling")
    hidden_units: int = Field(0, ge=0, description="of a ReLU layer between pooling and head; 0: none")
    hidden_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="after the hidden layer")
    trained_layers: int = Field(
        0, ge=0, description="last layers of the trunk that are trained, beside the head; the others are frozen; 0: all"
    )
    unfreeze_every_epochs: int = Field(0, ge=0, description="between two times more layers are trained; 0: never")
    unfreeze_layers: Count = Field(20, description="layers that are added to the trained ones each time")
    batch_norm_momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.99, description="of the moving statistics; 0.9 where a run has a few hundred steps"
    )
    sync_batch_norm: bool = Field(False, description="average batch norm's moments over all ranks")


class ScheduleConfig(Section):
    """How the learning rate moves."""

    name: Literal["constant", "cosine", "step"] = Field("constant", description="shape after the warm-up")
    warmup_steps: int = Field(0, ge=0, description="linear rise from 0")
    final_fraction: Fraction = Field(0.0, description="cosine: last rate as a part of the first")
    step_epochs: Count = Field(3, description="step: epochs between two drops")
    step_factor: Fraction = Field(0.1, description="step: factor of a drop")


class OptimizerConfig(Section):
    """AdamW (Loshchilov and Hutter, 2019); batch norm and biases are not decayed."""

    learning_rate: Annotated[float, Field(gt=0.0)] = Field(1e-4, description="for a global batch of base_batch_size")
    trunk_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        1.0, description="the trunk's learning rate as a part of the head's"
    )
    scaling: Literal["none", "sqrt", "linear"] = Field("none", description="of the rate with the global batch size")
    base_batch_size: Count = Field(32, description="the batch size that learning_rate is meant for")
    weight_decay: Amount = Field(1e-4, description="decoupled, times the learning rate")
    beta_1: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.9, description="decay of the first moment")
    beta_2: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.999, description="decay of the second moment")
    epsilon: Annotated[float, Field(gt=0.0)] = Field(1e-7, description="added to the root of the second moment")
    clip_norm: Amount = Field(0.0, description="largest global norm of the averaged gradient; 0: not clipped")
    schedule: ScheduleConfig = ScheduleConfig()


class LossConfig(Section):
    """Binary cross-entropy over the known labels, and its variants."""

    focal_gamma: Amount = Field(0.0, description="focal loss (Lin et al., 2017); 0: plain cross-entropy")
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="pulls labels towards 0.5")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: positives weigh negatives/positives of the training set"
    )
    largest_class_weight: Annotated[float, Field(ge=1.0)] = Field(20.0, description="bound of a balanced weight")
