"""Each fault, done to an epoch that two ranks read, and how it has to end: all films once, or a clear error."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.disk import small_disk
from tests.faults import injected
from tests.faults.epoch import Outcome, Scene, scene
from tests.faults.proxy import Fault, Request

Begin = Callable[[Scene], object]


class Case(NamedTuple):
    """A fault by name; ``error`` is found in the one line that it ends in, empty where every film has to come."""

    fault: str
    begin: Begin
    error: str = ""


def shards(request: Request) -> bool:
    """What reads a shard or its index, rather than the manifest."""
    return injected.reads(request) and "shard-" in request.path


def each(fault: Fault) -> Begin:
    """To every third request for a shard, all the epoch long."""
    return lambda scene: setattr(scene.proxy, "fault", injected.every(3, fault, shards))


def always(fault: Fault) -> Begin:
    """To every request for a shard from the twelfth on."""
    return lambda scene: setattr(scene.proxy, "fault", injected.from_the(12, fault, shards))


def once(fault: Fault) -> Begin:
    """To the first request for each part of a shard."""
    return lambda scene: setattr(scene.proxy, "fault", injected.once_each(fault, shards))


def manifest(fault: Fault) -> Begin:
    return lambda scene: setattr(scene.proxy, "fault", injected.always(fault, lambda asked: "manifest" in asked.path))


def refused(scene: Scene) -> None:
    """For a second, in mid-epoch."""

    def shut() -> None:
        scene.proxy.shut()
        scene.in_a_second(scene.proxy.listen)

    scene.proxy.fault = injected.at_the(12, shut, shards)


def refused_for_good(scene: Scene) -> None:
    scene.config = scene.config.model_copy(update={"retry_seconds": 1.0})
    scene.proxy.fault = injected.at_the(12, scene.proxy.shut, shards)


def restarted(scene: Scene) -> None:
    """The server itself, for a second, in mid-epoch."""

    def restart() -> None:
        scene.server.stop()
        scene.in_a_second(scene.server.start)

    scene.proxy.fault = injected.at_the(12, restart, shards)


def storm(status: int, code: str) -> Begin:
    """Nothing but errors for two seconds, beginning before the first request."""

    def begin(scene: Scene) -> None:
        until = time.monotonic() + 2.0
        fault = injected.says(status, code)
        scene.proxy.fault = injected.always(fault, lambda _: time.monotonic() < until)

    return begin


def damaged_for_good(scene: Scene) -> None:
    """A byte of a shard on the server itself."""
    file = scene.object_file("00003.tfrecord")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def deleted(scene: Scene) -> None:
    scene.object_file("00003.tfrecord").unlink()


CASES = (
    Case("none", lambda _: None),
    Case("connection refused for 1 s", refused),
    Case("connection refused for good", refused_for_good, "does not answer"),
    Case("connection reset before the answer, every third", each(injected.reset)),
    Case("connection reset in mid-body, every third", each(injected.reset_after(3000))),
    Case("stall in mid-body until given up, every third", each(injected.stalled_after(3000))),
    Case("500 to all, for 2 s", storm(500, "InternalError")),
    Case("503 to all, for 2 s", storm(503, "SlowDown")),
    Case("wrong bytes the first time", once(injected.altered)),
    Case("wrong bytes in the manifest", manifest(injected.altered), "manifest"),
    Case("wrong bytes in every answer", always(injected.altered), "is not what its checksum says|SHA-256|hash"),
    Case("wrong bytes on the server", damaged_for_good, "is not what its checksum says|SHA-256|hash"),
    Case("a shard deleted from the server", deleted, "is not there"),
    Case("body cut short, every third", each(injected.cut_after(3000))),
    Case("body cut short and its head altered, the first time", once(injected.shortened_by(100))),
    Case("100 kB/s", lambda scene: setattr(scene.proxy, "fault", injected.always(injected.slow(100_000)))),
    Case("credentials expire, renewed", once(injected.says(400, "ExpiredToken"))),
    Case("credentials expire for good", always(injected.says(400, "ExpiredToken")), "credentials have expired"),
    Case("access denied in mid-epoch", always(injected.says(403, "AccessDenied")), "is refused to these credentials"),
    Case("server killed and back after 1 s", restarted),
    Case("the cache's disk full", lambda _: None),
    Case(
        "the cache cannot be written", lambda scene: scene.cache.parent.joinpath(scene.cache.name).write_text("a file")
    ),
)


def run(case: Case, folder: Path) -> Outcome:
    """Reads the epoch under the fault. Raises OSError where a disk that is full cannot be had."""
    with _cache(case) as cache, scene(folder, cache=cache) as played:
        case.begin(played)
        return played.epoch()


def _cache(case: Case) -> AbstractContextManager[Path | None]:
    return small_disk(64) if "disk full" in case.fault else _none()


@contextmanager
def _none() -> Iterator[None]:
    yield None
