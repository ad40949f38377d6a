"""What a URL of a store says: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``."""

import re
from typing import Literal, NamedTuple, cast

from trainer.data.store.names import checked
from trainer.errors import UsageError

Scheme = Literal["s3", "gs", "az"]

SCHEMES = ("s3", "gs", "az")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class Place(NamedTuple):
    """A bucket (Azure: a container) and a prefix in it, which may be empty."""

    scheme: Scheme
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """As a person writes it."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def under(self, prefix: str) -> "Place":
        """The place below."""
        return self._replace(prefix=self.name(prefix))

    def name(self, name: str) -> str:
        """The name in the bucket of what has ``name`` below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name


def place_of(where: str, key: str) -> Place:
    """Takes a URL apart; everything after the bucket is a name, so ``%``, ``#`` and ``?`` are what they are.

    Raises UsageError for another scheme, a bucket that cannot be one, a prefix that cannot be one, and for a URL with
    credentials in it, which it does not repeat.
    """
    scheme, _, rest = where.partition("://")
    bucket, _, prefix = rest.partition("/")
    # A secret key may hold slashes; no bucket holds a colon.
    typed = rest if ":" in bucket else bucket
    if "@" in typed:
        hidden = f"{scheme}://...@{typed.rpartition('@')[2]}"
        raise UsageError(key, hidden, "has credentials in it", "take them out: they come from the environment")
    if scheme not in SCHEMES:
        raise UsageError(key, where, f"has the scheme {scheme}://", "name a folder, or s3://, gs:// or az://")
    if not _BUCKET.fullmatch(bucket):
        rule = "does not name a bucket" if not bucket else f"has {bucket!r} for a bucket, which no bucket is called"
        raise UsageError(key, where, rule, f"write {scheme}://BUCKET/PREFIX")
    return Place(cast("Scheme", scheme), bucket, _prefix(prefix.rstrip("/"), where, key))


def _prefix(prefix: str, where: str, key: str) -> str:
    try:
        return checked(prefix) if prefix else ""
    except ValueError as error:
        rule = "has a blank, '.', '..' or too long a part in its prefix"
        raise UsageError(key, where, rule, "write the prefix as it is in the bucket") from error
