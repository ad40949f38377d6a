"""How a bucket is reached: settings and the environment, as the options of the library that reaches it."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from trainer.config import StoreConfig
from trainer.data.store.place import Place
from trainer.data.store.profiles import profile
from trainer.data.store.retries import FIRST_SECONDS, LONGEST_SECONDS
from trainer.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import BackoffConfig, ClientConfig, RetryConfig

Bucket = S3Store | GCSStore | AzureStore

PART_BYTES = 5 * 2**20
"""Of a large object; the least that S3 takes, and at most 10,000 of them make an object: 52 GB."""

PARTS = 4
"""On their way side by side."""

_WHOLE_REQUEST = timedelta(days=1)
"""A large object over a slow line takes as long as it takes: what counts is progress."""


def connect(place: Place, config: StoreConfig, *, patient: bool) -> Bucket:
    """A connection to the place's bucket; reads the environment and the files that it names, asks nothing yet.

    Credentials are where each cloud's own tools look for them: keys in the environment (``AWS_*``, ``GOOGLE_*``,
    ``AZURE_*``), a token of a workload identity, a file (``AWS_SHARED_CREDENTIALS_FILE``,
    ``GOOGLE_APPLICATION_CREDENTIALS``), the machine's own identity.

    Args:
        place: the bucket.
        config: how it is reached.
        patient: whether the library itself asks again for ``config.retry_seconds``: for objects that go in parts.

    Raises UsageError for a wrong ``store.endpoint``.
    """
    options: dict[str, Any] = {
        "client_options": _client(place, config, patient),
        "retry_config": _retry(config, patient),
    }
    if place.scheme == "s3":
        return S3Store(place.bucket, config=s3_options(place, config, os.environ), **options)
    return (GCSStore if place.scheme == "gs" else AzureStore)(place.bucket, **options)


def s3_options(place: Place, config: StoreConfig, environment: Mapping[str, str]) -> Any:
    """Endpoint, region, style of address, and the credentials that the library does not find by itself."""
    endpoint = _endpoint(place.bucket, config, environment)
    style: dict[str, Any] = {"virtual_hosted_style_request": not config.path_style}
    if not config.path_style and "." in place.bucket and not endpoint.startswith("http://"):
        rule = f"puts the bucket {place.bucket!r} in the host name, where its dots match no certificate"
        raise UsageError("store.path_style", config.path_style, rule, "set it to true")
    if endpoint:
        style |= {"aws_endpoint_url_s3": endpoint if config.path_style else _with_bucket(endpoint, place.bucket)}
    found = profile(environment)
    region = config.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return style | found | {"region": region or found.get("region", "us-east-1")}


def _endpoint(bucket: str, config: StoreConfig, environment: Mapping[str, str]) -> str:
    named = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    key, endpoint = "store.endpoint", config.endpoint
    if not endpoint:
        key, endpoint = next(((each, environment[each]) for each in named if environment.get(each)), (key, ""))
    if endpoint:
        # Wherever it stands: after a password with a slash, for one.
        if "@" in endpoint:
            raise UsageError(key, "...@...", "has credentials in it", "take them out")
        if not _is_of_a_server(endpoint):
            raise UsageError(key, endpoint, "is not the URL of a server", "write http(s)://HOST[:PORT]")
        if urlsplit(endpoint).path.strip("/").endswith(bucket):
            raise UsageError(key, endpoint, f"names the bucket {bucket!r}, too", "leave it out of the endpoint")
    return endpoint.rstrip("/")


def _is_of_a_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not (parts.query or parts.fragment)
    )


def _with_bucket(endpoint: str, bucket: str) -> str:
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{bucket}.{rest}"


def _client(place: Place, config: StoreConfig, patient: bool) -> "ClientConfig":
    options: ClientConfig = {
        "timeout": _WHOLE_REQUEST,
        "read_timeout": timedelta(seconds=_patience_seconds(config, uploads=patient)),
        "connect_timeout": timedelta(seconds=config.connect_timeout_seconds),
        # Whoever writes http:// means it.
        "allow_http": True,
        "user_agent": "cxr-train",
    }
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if place.scheme == "s3" and bundle:
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise UsageError("AWS_CA_BUNDLE", bundle, f"cannot be read ({error.strerror})", "correct it") from error
    return options


def _patience_seconds(config: StoreConfig, *, uploads: bool) -> float:
    """Without a byte from the server, which says nothing while it takes parts: to the library, no progress."""
    uploading = PART_BYTES * PARTS / (1000 * config.slowest_kilobytes_per_second) if uploads else 0.0
    return config.timeout_seconds + uploading


def _retry(config: StoreConfig, patient: bool) -> "RetryConfig":
    if not patient:
        return {"max_retries": 0}
    first, longest = timedelta(seconds=FIRST_SECONDS), timedelta(seconds=LONGEST_SECONDS)
    backoff: BackoffConfig = {"init_backoff": first, "max_backoff": longest, "base": 2}
    return {"max_retries": 1000, "retry_timeout": timedelta(seconds=config.retry_seconds), "backoff": backoff}
