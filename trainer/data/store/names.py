"""Names of objects: relative paths that cannot leave their store, and that every kind of store can hold."""

_LONGEST_PART = 200
"""Bytes: a file system takes 255, of which a name that is being written needs some (see folder.py)."""

_LONGEST_NAME = 900
"""Bytes: S3 and Google take 1,024, with the store's own prefix; Azure 1,024 characters."""


def checked(name: str) -> str:
    """The name, if it is one.

    Raises ValueError where it is empty, absolute or too long, where a part is blank, ``.`` or ``..``, and where it
    holds a control character or is not Unicode.
    """
    parts = [_bytes(part) for part in name.split("/")]
    if any(part in (b"", b".", b"..") for part in parts) or not name.isprintable():
        raise ValueError(f"not the name of an object: {name!r}")
    if len(_bytes(name)) > _LONGEST_NAME or any(len(part) > _LONGEST_PART for part in parts):
        raise ValueError(f"too long for the name of an object: {name!r}")
    return name


def is_hidden(name: str) -> bool:
    """Whether a listing leaves the name out: its last part starts with a dot."""
    return name.rpartition("/")[2].startswith(".")


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"not the name of an object: {text!r}") from error
