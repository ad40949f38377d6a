"""Headers of a tar archive, read so that a damaged one is an error, and none is larger than a header is."""

import tarfile
from typing import Self

LONGEST_EXTENSION = 2**20
"""Bytes of a header's extension, long names above all: tarfile takes them into memory whole, and at their word."""

_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class Header(tarfile.TarInfo):
    """For ``tarfile.open``, which by itself takes a header that is damaged, cut off or missing for the archive's end.

    The end is a block of zeros: POSIX.1-2017, pax, "ustar Interchange Format".
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """From a block. Raises tarfile's errors: HeaderError for the end, ReadError for all else."""
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(f"{error}, where a file or the end should be") from error
        if found.type in _EXTENSIONS and found.size > LONGEST_EXTENSION:
            raise tarfile.ReadError(f"a header's extension of {found.size} bytes")
        return found
