"""A disk that is full for real: a file system of a few KiB in memory."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(kibibytes: int) -> Iterator[Path]:
    """A file system of so many bytes; raises OSError where this user may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="cxr-small-"))
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    command = f"{mount} -t tmpfs -o size={kibibytes}k tmpfs {folder} 2>/dev/null"
    if not mount or not unmount or os.system(command):  # noqa: S605 - made of nothing foreign
        folder.rmdir()
        raise OSError("no file system can be mounted here")
    try:
        yield folder
    finally:
        os.system(f"{unmount} -l {folder}")  # noqa: S605 - made of nothing foreign
        folder.rmdir()
