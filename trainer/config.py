"""One tree of frozen settings. Every default lives here; YAML files and ``--set a.b=c`` are laid over it."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0.0)]
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
UncertainPolicy = Literal["zeros", "ones", "ignore"]


class Section(BaseModel):
    """A node of the tree: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )


class CacheConfig(Section):
    """Where shards of an object store are kept on a node; its ranks share them. A local folder needs no cache."""

    directory: str = Field("", description="folder on a disk of the node; empty: one of the user's in $TMPDIR")
    gibibytes: Annotated[float, Field(gt=0.0)] = Field(
        100.0, description="most that it holds; what the plan needs last goes first"
    )
    fetches: Count = Field(4, description="shards fetched side by side, by each rank")


class DataConfig(Section):
    """The prepared films a run reads."""

    labels: str = Field("nih15", description="label set: nih15 (with No Finding), nih14 or chexpert14")
    training: str = Field("", description="prepared training set (holds manifest.json): a folder or s3://bucket/prefix")
    validation: str = Field("", description="prepared validation set, likewise; empty: no validation")
    test: str = Field("", description="prepared test set, likewise")
    shuffle_window_shards: Count = Field(8, description="films are shuffled within this many shards")
    prefetch_batches: Count = Field(4, description="batches read ahead of the step")
    reader_threads: Count = Field(1, description="batches gathered side by side; more than 1 pays for jpeg and png")
    cache: CacheConfig = CacheConfig()
    audit: bool = Field(False, description="keep a record of the films of every step, for 'cxr-train audit'")


class StoreConfig(Section):
    """How object stores (s3://, gs://, az://) are reached; secrets come from the environment alone."""

    endpoint: str = Field("", description="URL of an S3-compatible server; empty: AWS_ENDPOINT_URL, else AWS's own")
    region: str = Field("", description="of the bucket; empty: AWS_REGION or AWS_DEFAULT_REGION, else us-east-1")
    path_style: bool = Field(True, description="bucket in the path of an S3 URL; false: in the host name")
    timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(
        60.0, description="a request without progress for so long is given up, and made again"
    )
    connect_timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(5.0, description="of one connection")
    retry_seconds: Amount = Field(180.0, description="a store that does not answer is asked again for so long")
    slowest_kilobytes_per_second: Annotated[float, Field(gt=0.0)] = Field(
        100.0, description="an upload that is slower than this is taken to have stalled"
    )


class ColumnsConfig(Section):
    """Where a generic CSV keeps what a record needs (prepare.catalog: csv)."""

    film: str = Field("film", description="column with the film's file name")
    patient: str = Field("patient", description="column with the patient's identifier")
    findings: str = Field("findings", description="column with the classes, separated by |; empty: one column a class")
    split: str = Field("", description="column with training, validation or test; empty: prepare.split decides")


class DicomConfig(Section):
    """Which films of DICOM sources are taken; the others are left out, and counted by the rule that did it."""

    modalities: Texts = Field(("CR", "DX"), description="Modality of the films taken; []: any")
    views: Texts = Field(("AP", "PA"), description="views taken, so no lateral ones; []: any")
    unknown_view: Literal["keep", "skip"] = Field("keep", description="a film whose header names no view")
    body_parts: Texts = Field(("CHEST", "THORAX", "PORT CHEST"), description="BodyPartExamined taken; []: any")
    unknown_body_part: Literal["keep", "skip"] = Field("keep", description="a film whose header names no body part")
    for_processing: Literal["keep", "skip"] = Field("skip", description="raw films, which no screen is meant to show")
    multi_frame: Literal["skip", "first", "error"] = Field("skip", description="first: its first frame is the film")
    minimum_side: Count = Field(128, description="a film with a side shorter than this, in pixels, is left out")


class PrepareConfig(Section):
    """From films and a catalog to shards."""

    source: Texts = Field((), description="folders of films, or .tar, .tar.gz archives (streamed); paths or s3://...")
    destination: str = Field("", description="folder or s3://... that gets training/, validation/ and test/")
    catalog: Literal["nih", "chexpert", "csv"] = Field("nih", description="the form of the table")
    table: str = Field("", description="CSV of labels (.csv or .csv.gz); path or s3://...")
    columns: ColumnsConfig = ColumnsConfig()
    dicom: DicomConfig = DicomConfig()
    uncertain: UncertainPolicy = Field("ignore", description="an uncertain label becomes zeros, ones, or is ignored")
    split: Literal["official", "patient"] = Field("official", description="NIH's lists, or by patient with the seed")
    train_list: str = Field("", description="official split: file that names the training and validation films")
    test_list: str = Field("", description="official split: file that names the test films")
    validation_fraction: Fraction = Field(0.1, description="part of the (training) patients kept for validation")
    test_fraction: Fraction = Field(0.2, description="split by patient: part of the patients kept for test")
    seed: int = Field(0, ge=0, description="of the split by patient and of the films' order in the shards")
    image_size: int = Field(224, ge=8, le=4096, description="stored height and width, pixels")
    encoding: Literal["raw", "jpeg", "png"] = Field("raw", description="of the stored film; raw reads fastest")
    jpeg_quality: int = Field(95, ge=1, le=100, description="of stored jpeg films")
    shard_mebibytes: float = Field(64.0, gt=0, description="a shard holds films of about this size together")
    processes: int = Field(0, ge=0, description="that decode films; 0: one a core")
    workers: Count = Field(1, description="that share the shards, each started by itself; changes no byte")
    worker: int = Field(-1, ge=-1, description="which of them, from 0; -1: JOB_COMPLETION_INDEX (Indexed Job), else 0")
    minimum_side: Count = Field(32, description="a film with a side shorter than this, in pixels, is bad")
    on_bad_film: Literal["error", "skip"] = Field("error", description="skip: count it and list it in bad_films.csv")
    on_missing_film: Literal["error", "skip"] = Field(
        "error", description="a catalog row without a film in the sources; skip: count it"
    )


class PhantomConfig(Section):
    """Drawn films with known signs, to try everything without a patient's film."""

    films: Count = Field(3000, description="films drawn, over all patients")
    films_per_patient: Count = Field(2, description="films of one patient")
    image_size: int = Field(80, ge=32, le=1024, description="height and width, pixels")
    seed: int = Field(0, ge=0, description="same seed, same films")


class ModelConfig(Section):
    """The network."""

    name: str = Field("resnet34", description="resnet18, 34, 50, 101, 152 or simple_cnn")
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
        "auto", description="auto: bfloat16 where the machine computes in it, else float32"
    )
    deterministic: bool = Field(False, description="bit-equal reruns; slower (one inter-op thread, no fusion)")
    seed: int = Field(0, ge=0, description="of weights, order, augmentation and dropout")
    log_every_steps: Count = Field(20, description="steps between two log lines")
    validate_every_epochs: int = Field(1, ge=0, description="0: only after the last epoch")
    augment: AugmentConfig = AugmentConfig()
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()


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
    batch_size: Count = Field(32, description="films a batch; its composition never depends on the ranks")
    resamples: int = Field(1000, ge=0, description="of patients, for the bootstrap intervals; 0: none")
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(0.95, description="of the intervals")
    seed: int = Field(0, ge=0, description="of the bootstrap")


class CollectivesConfig(Section):
    """How ranks talk."""

    launcher: Literal["gloo", "mpi"] = Field("gloo", description="of --ranks: Horovod's own, or mpirun")
    compression: Literal["none", "fp16"] = Field("none", description="of gradients on the wire")
    expected_ranks: int = Field(0, ge=0, description="a job with another number of ranks stops; 0: any")
    wanted_ranks: int = Field(
        0, ge=0, description="ranks the job would have if all its machines came, told as a metric; 0: those it has"
    )


class TelemetryConfig(Section):
    """What a run tells about itself."""

    port: int = Field(0, ge=0, le=65535, description="Prometheus metrics of all ranks; 0: not served")
    address: str = Field("127.0.0.1", description="the metrics are served on")
    phase_sample_steps: int = Field(
        100, ge=0, description="steps between two in which compute and allreduce are timed apart; 0: never"
    )


class RestartsConfig(Section):
    """What the launcher of a cluster job does when ranks fail or hang."""

    limit: int = Field(3, ge=0, description="times a failed attempt is followed by another; evictions do not count")
    stall_seconds: Annotated[float, Field(gt=0.0)] = Field(
        600.0, description="a rank that makes no step for so long is taken to hang"
    )
    minimum_workers: int = Field(
        0, ge=0, description="go on with as few, if the batch divides, where others do not come; 0: never fewer"
    )


class ClusterConfig(Section):
    """How a job in a cluster starts and ends."""

    evaluate: bool = Field(True, description="score data.test (else data.validation) once trained")
    start_timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(
        900.0, description="workers that have not come by then are named, and the job fails"
    )
    grace_seconds: Annotated[float, Field(gt=0.0)] = Field(
        120.0, description="what ranks get to checkpoint once a pod is told to leave"
    )


class Config(Section):
    """The whole tree."""

    data: DataConfig = DataConfig()
    store: StoreConfig = StoreConfig()
    prepare: PrepareConfig = PrepareConfig()
    phantom: PhantomConfig = PhantomConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    loss: LossConfig = LossConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    collectives: CollectivesConfig = CollectivesConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    restarts: RestartsConfig = RestartsConfig()
    cluster: ClusterConfig = ClusterConfig()
