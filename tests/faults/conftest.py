"""A bucket behind the proxy: what the client asks goes through it."""

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy
from tests.s3 import Bucket, S3Server


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with Proxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3: Bucket, proxy: Proxy) -> Bucket:
    """Reached through the proxy, by a client that has little patience."""
    settings = {
        "endpoint": proxy.endpoint,
        "timeout_seconds": 0.5,
        "retry_seconds": 10.0,
        "slowest_kilobytes_per_second": 1e5,
    }
    return Bucket(s3.name, s3.config.model_copy(update=settings), s3.environment, s3.folder)
