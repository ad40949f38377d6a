"""Settings of the report of a run."""

from typing import Literal

from pydantic import Field

from trainer.config.section import Section


class ReportConfig(Section):
    """One HTML page of a run that was scored; it needs no network to be read."""

    title: str = Field("", description="of the page; empty: the name of the run's folder")
    output: str = Field("", description="file or s3://... that gets the page; empty: report.html in the run's folder")
    split: Literal["auto", "validation", "test"] = Field(
        "auto", description="films the page is about; auto: test, or validation where only that was scored"
    )
    films_per_class: int = Field(
        3, ge=0, le=20, description="worst misses, and false alarms, that are shown of each class; 0: no films"
    )
