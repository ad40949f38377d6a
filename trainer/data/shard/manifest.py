"""``manifest.json``: what a prepared set holds. It is written last, so a half-written set cannot be opened."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer.data.film.images import Encoding
from trainer.durable import write_durably
from trainer.errors import DataError

FORMAT_VERSION: Literal[1] = 1
MANIFEST_NAME = "manifest.json"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")
Number = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ShardInfo(_Part):
    """A shard and the index beside it: sizes in bytes and records, hashes of the whole files."""

    name: Annotated[str, Field(pattern=r"^shard-\d{5,}\.tfrecord$")]
    bytes: Number
    records: Number
    sha256: Sha256
    index_sha256: Sha256


class ImageInfo(_Part):
    """How every film of the set is stored: uint8 [height, width]."""

    height: Number
    width: Number
    encoding: Encoding


class ClassCounts(_Part):
    """Films by their label for one class; prevalence is among the known ones, None where there is none."""

    positive: Number
    negative: Number
    unknown: Number
    prevalence: float | None


class PatientsFile(_Part):
    """The file of the patients' hashes, and a hash of the key they were made with."""

    name: Literal["patients.bin"] = "patients.bin"
    sha256: Sha256
    key_fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class Made(_Part):
    """How the set came about. Nothing here depends on when or where, so equal inputs give equal bytes."""

    program: str
    catalog: str
    seed: int
    films_bad: Number
    films_missing: Number


class Manifest(_Part):
    """A prepared set; ``counts`` has an entry a class."""

    format_version: Literal[1] = FORMAT_VERSION
    labels: str
    classes: tuple[str, ...]
    split: Split
    films: Number
    patients: Number
    image: ImageInfo
    counts: dict[str, ClassCounts]
    shards: tuple[ShardInfo, ...]
    patients_file: PatientsFile
    made: Made


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Makes the set in ``directory`` exist."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2)
    write_durably(directory / MANIFEST_NAME, f"{text}\n".encode())


def read_manifest(directory: Path, key: str) -> Manifest:
    """The manifest of the set in ``directory``; ``key`` is the setting that named it, for errors.

    Raises DataError where there is none, it is of a newer format, or it is damaged.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise DataError(
            key, str(directory), f"has no {MANIFEST_NAME}", "run 'cxr-train prepare' to its end or check the path"
        )
    try:
        content = json.loads(path.read_bytes())
        _refuse_newer_format(content, key, directory)
        return Manifest.model_validate(content)
    except (ValueError, ValidationError) as error:
        raise DataError(
            key, str(path), f"is damaged ({_first_line(error)})", "copy the set anew or run 'cxr-train prepare'"
        ) from error


def sha256_of(content: bytes) -> str:
    """The hash as the manifest writes it."""
    return hashlib.sha256(content).hexdigest()


def _refuse_newer_format(content: object, key: str, directory: Path) -> None:
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise DataError(
            key,
            str(directory),
            f"has format version {version}, this program reads up to {FORMAT_VERSION}",
            "update cxr-train or prepare the films anew",
        )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'top level'}: {first['msg']}"
    return " ".join(str(error).split())
