"""Settings of scoring films without labels."""

from typing import Literal

from pydantic import Field

from trainer.config.prepare import Texts
from trainer.config.section import Count, Section


class PredictConfig(Section):
    """Scores for films without labels; prepare.dicom and prepare.minimum_side say which films are taken."""

    source: Texts = Field((), description="folders of films, or .tar, .tar.gz archives (streamed); paths or s3://...")
    destination: str = Field("", description="folder or s3://... that gets predictions.csv and bad_films.csv")
    checkpoint: Literal["best", "last"] = Field("best", description="of checkpoint.directory")
    batch_size: Count = Field(32, description="films a batch; its composition never depends on the ranks")
    processes: int = Field(0, ge=0, description="of each rank, that decode films; 0: one a core")
