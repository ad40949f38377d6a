"""Files that appear whole or not at all, also when the power goes."""

import os
from pathlib import Path
from typing import BinaryIO

PARTIAL_SUFFIX = ".partial"


def write_durably(path: Path, content: bytes) -> None:
    """Writes ``content`` under a temporary name and moves it to ``path``; an older file there is replaced."""
    partial = partial_name(path)
    with partial.open("wb") as file:
        file.write(content)
        put_in_place(file, path)


def put_in_place(file: BinaryIO, path: Path) -> None:
    """Gives an open file, written under ``partial_name(path)``, its name once its bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    partial_name(path).replace(path)
    sync(path.parent)


def partial_name(path: Path) -> Path:
    """The temporary name of a file that is being written: hidden, so that no listing takes it for the file."""
    return path.with_name(f".{path.name}{PARTIAL_SUFFIX}")


def sync(path: Path) -> None:
    """Returns once the file's bytes, or the folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
