"""What a check of the doctor has found."""

from dataclasses import dataclass
from typing import Any, Literal

Object = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One check's result; a blocking one keeps the job from running."""

    what: str
    level: Literal["good", "note", "blocking"]
    text: str
    cure: str = ""
