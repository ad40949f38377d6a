"""Settings of what a run's network is exported to."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from trainer.config.section import Count, Section

Format = Literal["saved_model", "keras", "onnx"]
Formats = Annotated[
    tuple[Format, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value), Field(min_length=1)
]


class ExportConfig(Section):
    """The network for those who live without this program."""

    destination: str = Field("", description="folder or s3://... that gets the files, and export.json last")
    formats: Formats = Field(
        ("saved_model", "keras"), description="saved_model, keras, onnx (needs the extra onnx): those to write"
    )
    checkpoint: Literal["best", "last"] = Field("best", description="of checkpoint.directory")
    films: Count = Field(64, description="that each file must score as the trainer does before it is kept")
