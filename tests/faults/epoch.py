"""An epoch of films, read by two ranks of a node through the proxy: how many were lost, how many seen twice."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import write_set
from tests.faults.proxy import Proxy
from tests.s3 import Bucket, S3Server, new_server
from trainer.config import CacheConfig, DataConfig, StoreConfig
from trainer.data.cache.tally import Tally
from trainer.data.evidence import Evidence, evidence
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Delivered, training_batches
from trainer.data.plan import EpochPlan, Slots
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import CxrError

FILMS, FILMS_PER_SHARD, BATCH, RANKS = 200, 10, 12, 2
KEY = "data.training"

Films = dict[tuple[int, int], int]
"""The checksum of each film's pixels, by (shard, record)."""


class Outcome(NamedTuple):
    """Of an epoch: films of which the right pixels never came, films that came more than once, and what was counted."""

    lost: int
    twice: int
    error: CxrError | None
    counts: dict[str, float]


@dataclass
class Scene:
    """A prepared set in a bucket of a server of its own, behind the proxy; and the same set in a folder."""

    server: S3Server
    proxy: Proxy
    bucket: Bucket
    films: Films
    cache: Path
    config: StoreConfig
    later: list[threading.Timer] = field(default_factory=list)

    def in_a_second(self, action: Callable[[], None]) -> None:
        """While the epoch is read; it is over before the scene is."""
        self.later.append(threading.Timer(1.0, action))
        self.later[-1].start()

    def object_file(self, ending: str) -> Path:
        """The server's own file of an object."""
        return next(path for path in sorted((self.bucket.folder / "set").iterdir()) if path.name.endswith(ending))

    def epoch(self) -> Outcome:
        """Reads it, to the end or to the first error."""
        seen: list[Evidence] = []
        tally = Tally()
        with ThreadPoolExecutor(RANKS) as ranks:
            reading = [ranks.submit(self._read, rank, seen.append, tally) for rank in range(RANKS)]
        errors = [each.exception() for each in reading]
        for error in errors:
            if error is not None and not isinstance(error, CxrError):
                raise error
        counts = {str(event): amount for event, amount in tally.taken().items()}
        return self._judged(seen, next((each for each in errors if isinstance(each, CxrError)), None), counts)

    def _read(self, rank: int, delivered: Delivered, tally: Tally) -> None:
        cache = CacheConfig(directory=str(self.cache))
        films = FilmSet.open(self._store(), cache, ranks_on_node=RANKS, tell=tally.add)
        plan = EpochPlan(films.records_per_shard, seed=3, epoch=0, global_batch_size=BATCH, window_shards=4)
        slots = range(rank * BATCH // RANKS, (rank + 1) * BATCH // RANKS)
        try:
            deque(training_batches(films, plan, slots, first_batch=0, config=DataConfig(), delivered=delivered))
        finally:
            films.close()
            # What is still on its way lands in the cache, which is there for as long as the scene.
            films.settle()

    def _store(self) -> Store:
        return open_store(f"{self.bucket.url}/set", self.config, KEY)

    def _judged(self, seen: list[Evidence], error: CxrError | None, counts: dict[str, float]) -> Outcome:
        right: Counter[tuple[int, int]] = Counter()
        for each in seen:
            for place, weight, pixels in zip(_places(each.slots), each.slots.weight, each.pixels, strict=True):
                right[place] += bool(weight) and self.films[place] == int(pixels)
        twice = sum(count > 1 for count in right.values())
        return Outcome(sum(not right[place] for place in self.films), twice, error, counts)


@contextmanager
def scene(folder: Path, *, cache: Path | None = None) -> Iterator[Scene]:
    """A server, a set and a proxy of their own, below ``folder``; the environment reaches the server."""
    local = write_set(folder / "local", "training", FILMS, films_per_shard=FILMS_PER_SHARD)
    (folder / "server").mkdir()
    server = new_server(folder / "server")
    bucket = server.bucket()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        directly = open_store(f"{bucket.url}/set", bucket.config, KEY)
        for path in local.iterdir():
            directly.upload(path.name, path)
        with Proxy(server.port) as proxy:
            config = StoreConfig(
                endpoint=proxy.endpoint, region=bucket.config.region, timeout_seconds=0.5, retry_seconds=10.0
            )
            played = Scene(server, proxy, bucket, _checksums(local), cache or folder / "cache", config)
            yield played
            for each in played.later:
                each.join()
    server.stop()


def _checksums(local: Path) -> Films:
    films = FilmSet.open(FolderStore(local, KEY))
    plan = EpochPlan(films.records_per_shard, seed=0, epoch=0, global_batch_size=FILMS, window_shards=4)
    found = evidence(films.gather(plan.slots(0, range(FILMS))))
    return dict(zip(_places(found.slots), map(int, found.pixels), strict=True))


def _places(slots: Slots) -> list[tuple[int, int]]:
    return list(zip(*slots.places(), strict=True))
