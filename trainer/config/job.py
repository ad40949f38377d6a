"""Settings of ranks together: how they talk, what they tell, and how a cluster keeps them going."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.config.section import Section


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
