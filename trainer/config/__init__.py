"""One tree of frozen settings. Every default lives in this package; YAML files and ``--set a.b=c`` are laid over it."""

from trainer.config.data import CacheConfig, DataConfig, StoreConfig
from trainer.config.export import ExportConfig
from trainer.config.job import ClusterConfig, CollectivesConfig, RestartsConfig, TelemetryConfig
from trainer.config.model import LossConfig, ModelConfig, OptimizerConfig, ScheduleConfig
from trainer.config.predict import PredictConfig
from trainer.config.prepare import (
    TRAITS,
    ColumnsConfig,
    DicomConfig,
    PhantomConfig,
    PrepareConfig,
    Trait,
    UncertainPolicy,
)
from trainer.config.report import ReportConfig
from trainer.config.section import Section
from trainer.config.trackers import MlflowConfig, TensorBoardConfig, TrackersConfig
from trainer.config.train import AugmentConfig, CheckpointConfig, EarlyStoppingConfig, EvaluateConfig, TrainConfig


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
    predict: PredictConfig = PredictConfig()
    export: ExportConfig = ExportConfig()
    report: ReportConfig = ReportConfig()
    collectives: CollectivesConfig = CollectivesConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    trackers: TrackersConfig = TrackersConfig()
    restarts: RestartsConfig = RestartsConfig()
    cluster: ClusterConfig = ClusterConfig()


__all__ = [
    "TRAITS",
    "AugmentConfig",
    "CacheConfig",
    "CheckpointConfig",
    "ClusterConfig",
    "CollectivesConfig",
    "ColumnsConfig",
    "Config",
    "DataConfig",
    "DicomConfig",
    "EarlyStoppingConfig",
    "EvaluateConfig",
    "ExportConfig",
    "LossConfig",
    "MlflowConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PhantomConfig",
    "PredictConfig",
    "PrepareConfig",
    "ReportConfig",
    "RestartsConfig",
    "ScheduleConfig",
    "Section",
    "StoreConfig",
    "TelemetryConfig",
    "TensorBoardConfig",
    "TrackersConfig",
    "TrainConfig",
    "Trait",
    "UncertainPolicy",
]
