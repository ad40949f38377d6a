"""``manifest.json``: what a prepared set holds. It is written last, so a half-written set cannot be opened."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from trainer.data.film.images import Encoding
from trainer.data.shard.people import PeopleCounts
from trainer.data.store.store import NotThere, Store
from trainer.errors import DataError

FORMAT_VERSION: Literal[3] = 3
READABLE_VERSIONS = (2, FORMAT_VERSION)
"""Sets of version 2 have no demographics: all is unknown."""

MANIFEST_NAME = "manifest.json"
ANEW = "copy the set anew or run 'cxr-train prepare'"
"""What cures a set that is not what its manifest says."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")
Number = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ShardInfo:
    """A shard and the index beside it: sizes in bytes and records, hashes of the whole files.

    Not a model, because a set of ten million films may have seventy thousand, each a kilobyte larger as one.
    """

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
    films_skipped: dict[str, Number] = {}
    """By the rule that left them out."""


class Manifest(_Part):
    """A prepared set; ``counts`` has an entry a class, ``people`` is None in sets of format version 2."""

    format_version: Literal[2, 3] = FORMAT_VERSION
    labels: str
    classes: tuple[str, ...]
    split: Split
    films: Number
    patients: Number
    image: ImageInfo
    counts: dict[str, ClassCounts]
    people: PeopleCounts | None = None
    shards: tuple[ShardInfo, ...]
    patients_file: PatientsFile
    made: Made


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Makes the set in ``store`` exist."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2)
    store.write(MANIFEST_NAME, f"{text}\n".encode())


def read_manifest(store: Store) -> Manifest:
    """The manifest of the set in ``store``. Raises DataError where there is none, or as ``parse_manifest`` does."""
    return parse_manifest(read_content(store), store)


def read_content(store: Store) -> bytes:
    """The manifest's bytes. Raises DataError where there is none."""
    try:
        return store.read(MANIFEST_NAME)
    except NotThere as error:
        cure = "run 'cxr-train prepare' to its end or check the path"
        raise DataError(store.key, store.where, f"has no {MANIFEST_NAME}", cure) from error


def parse_manifest(content: bytes, store: Store) -> Manifest:
    """The manifest with these bytes, read from ``store``. Raises DataError if it is of another format or damaged."""
    try:
        parsed = json.loads(content)
        _refuse_other_format(parsed, store)
        return Manifest.model_validate(parsed)
    except (ValueError, ValidationError) as error:
        damage = f"holds a damaged {MANIFEST_NAME} ({_first_line(error)})"
        raise DataError(store.key, store.where, damage, ANEW) from error


def sha256_of(content: bytes) -> str:
    """The hash as the manifest writes it."""
    return hashlib.sha256(content).hexdigest()


def _refuse_other_format(content: object, store: Store) -> None:
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version not in READABLE_VERSIONS:
        cure = "update cxr-train" if version > FORMAT_VERSION else "run 'cxr-train prepare' into a new place"
        readable = " and ".join(map(str, READABLE_VERSIONS))
        rule = f"has format version {version}, this program reads {readable}"
        raise DataError(store.key, store.where, rule, cure)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'top level'}: {first['msg']}"
    return " ".join(str(error).split())
