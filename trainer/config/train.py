"""Settings of the loop, of what it saves, and of scoring."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.config.section import Amount, Count, Fraction, Section


class AugmentConfig(Section):
    """Random changes to training films, drawn on the device from (seed, epoch, slot)."""

    enabled: bool = Field(True, description="false: films are used as stored")
    shift: Fraction = Field(0.05, description="largest shift, as a part of the side")
    scale: Fraction = Field(0.1, description="largest change of size, as a part of it")
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)] = Field(5.0, description="largest rotation")
    brightness: Fraction = Field(0.1, description="largest change, as a part of the full range")
    contrast: Fraction = Field(0.1, description="largest change, as a part of the contrast")
    horizontal_flip: bool = Field(False, description="off, because hearts are on the left")


class EarlyStoppingConfig(Section):
    """Stop when validation no longer improves; decided together by all ranks."""

    patience_validations: int = Field(
        0, ge=0, description="validations in a row without improvement; 0: never stop early"
    )
    minimum_improvement: Amount = Field(0.0, description="of the mean validation AUROC that counts")


class TrainConfig(Section):
    """The loop."""

    epochs: Count = Field(10, description="passes over the training films")
    global_batch_size: Count = Field(32, description="films a step over all ranks together")
    accumulation_steps: Count = Field(1, description="parts a rank's share of the batch is computed in")
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="auto: a GPU where there is one; gpu: stop where there is none, instead of crawling"
    )
    precision: Literal["auto", "float32", "bfloat16", "float64"] = Field(
        "auto", description="auto: bfloat16 where the machine is faster in it, else float32"
    )
    deterministic: bool = Field(False, description="bit-equal reruns; slower (one inter-op thread, no fusion)")
    seed: int = Field(0, ge=0, description="of weights, order, augmentation and dropout")
    log_every_steps: Count = Field(20, description="steps between two log lines")
    validate_every_epochs: int = Field(1, ge=0, description="0: only after the last epoch")
    augment: AugmentConfig = AugmentConfig()
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()


class CheckpointConfig(Section):
    """Where and when a run is saved."""

    directory: str = Field(
        ".runs/default", description="folder or s3://, gs://, az:// address of the run: checkpoints, history, scores"
    )
    every_steps: int = Field(0, ge=0, description="between two checkpoints; 0: at the end of each epoch only")
    keep_last: Count = Field(2, description="checkpoints kept beside the best one")
    keep_every_epochs: int = Field(0, ge=0, description="the end of each so many epochs is kept too; 0: not")
    patience_seconds: Amount = Field(
        100.0, description="at the end, a store that is down is waited for so long; below cluster.grace_seconds"
    )
    lease_seconds: Annotated[float, Field(gt=0.0)] = Field(
        60.0, description="a job that gives no sign of life for so long no longer owns its directory"
    )
    resume: Literal["auto", "never"] = Field("auto", description="auto: go on from the newest good checkpoint")


class EvaluateConfig(Section):
    """Scoring."""

    split: Literal["validation", "test"] = Field("test", description="which of data.validation, data.test")
    checkpoint: Literal["best", "last"] = Field("best", description="of checkpoint.directory")
    shared_classes: bool = Field(
        False, description="a set with other labels than the checkpoint's is scored on the classes that both have"
    )
    batch_size: Count = Field(32, description="films a batch; its composition never depends on the ranks")
    resamples: int = Field(1000, ge=0, description="of patients, for the bootstrap intervals; 0: none")
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(0.95, description="of the intervals")
    seed: int = Field(0, ge=0, description="of the bootstrap")
    at_specificity: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.9, description="sensitivity is told at the threshold that reaches this specificity"
    )
    at_sensitivity: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.9, description="specificity likewise; and a threshold that reaches it on validation is applied to test"
    )
    calibration_bins: Count = Field(10, description="of equally many films each, for the calibration error")
