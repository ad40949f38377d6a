"""Settings of what else is told of a run while it trains, for those who live in TensorBoard or MLflow."""

from typing import Annotated

from pydantic import Field

from trainer.config.section import Amount, Section


class TensorBoardConfig(Section):
    """Event files for TensorBoard."""

    directory: str = Field(
        "", description="folder or s3://... that gets a folder of event files for each run; empty: none"
    )
    films: int = Field(8, ge=0, description="films of the run's first batch that are shown, as augmented; 0: none")


class MlflowConfig(Section):
    """A run of MLflow."""

    address: str = Field(
        "",
        description="http(s)://... of a tracking server, or a folder (MLflow's file store); empty: none. Its password "
        "is in the environment: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    )
    experiment: str = Field("cxr-train", min_length=1, description="that the run is in; made if it is not there")
    timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(10.0, description="of one request to the server")


class TrackersConfig(Section):
    """What else is told of a run. Written by rank 0 in threads: training neither waits nor stops for them."""

    run: str = Field(
        "",
        pattern=r"^[\w-][\w.-]*$|^$",
        description="the run's name there; empty: the last part of checkpoint.directory",
    )
    tensorboard: TensorBoardConfig = TensorBoardConfig()
    mlflow: MlflowConfig = MlflowConfig()
    patience_seconds: Amount = Field(
        10.0, description="at a run's end, one that has not taken all is waited for so long"
    )
