"""Workers that share a set: killed anywhere, started again, two of one number at once, they make the bytes of one."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.data.prepare.given import ALL_FILMS, pack, run, settings, tree
from tests.unit.data.prepare.mortal import Killed, Life, MortalStore
from trainer.config import PrepareConfig, StoreConfig
from trainer.data.prepare import run as running
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import UsageError

Death = tuple[int, int, bool]
"""The worker, the writes it lives for, and whether the last takes effect."""


@pytest.fixture(scope="module")
def mixed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A folder, and two archives with the other films."""
    root = tmp_path_factory.mktemp("mixed")
    other = source / "images_002" / "images"
    parts = (root / "a", root / "b")
    for number, path in enumerate(sorted(other.iterdir())):
        parts[number % 3 == 0].mkdir(exist_ok=True)
        (parts[number % 3 == 0] / path.name).symlink_to(path)
    return (str(source / "images_001"), *(str(pack(part, root / f"{part.name}.tar")) for part in parts))


@pytest.fixture(scope="module")
def whole(source: Path, mixed: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one worker makes of the mixed source."""
    into = tmp_path_factory.mktemp("whole")
    run(settings(source, into, source=mixed))
    return tree(into)


def live(config: PrepareConfig, worker: int, life: Life) -> None:
    """Runs a worker until it ends or is killed."""

    def opened(where: str, stores: StoreConfig, key: str) -> Store:
        return MortalStore(open_store(where, stores, key), life)

    with patch.object(running, "open_store", opened), suppress(Killed):
        run(config.model_copy(update={"worker": worker}))


@hypothesis_settings(max_examples=15)
@given(
    workers=st.integers(1, 4),
    deaths=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25), st.booleans()), max_size=6),
    order=st.permutations(range(4)),
)
def test_workers_killed_anywhere_make_the_bytes_of_one(
    source: Path, mixed: tuple[str, ...], whole: dict[str, bytes], workers: int, deaths: list[Death], order: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as into:
        config = settings(source, into, source=mixed, workers=workers)
        for worker, writes, after in deaths:
            live(config, worker % workers, Life(writes, after=after))
        for worker in (each for each in order if each < workers):
            run(config.model_copy(update={"worker": worker}))
        assert tree(Path(into)) == whole


@hypothesis_settings(max_examples=6)
@given(writes=st.integers(0, 60), after=st.booleans(), first=st.integers(1, 4), then=st.integers(1, 4))
def test_another_number_of_workers_may_go_on(
    source: Path, mixed: tuple[str, ...], whole: dict[str, bytes], writes: int, after: bool, first: int, then: int
) -> None:
    with tempfile.TemporaryDirectory() as into:
        config = settings(source, into, source=mixed, workers=first)
        live(config, 0, Life(writes, after=after))
        for worker in range(then):
            run(config.model_copy(update={"workers": then, "worker": worker}))
        assert tree(Path(into)) == whole


def test_workers_and_copies_of_them_side_by_side_do_no_harm(
    source: Path, mixed: tuple[str, ...], whole: dict[str, bytes], tmp_path: Path
) -> None:
    config = settings(source, tmp_path, source=mixed, workers=2)
    with ThreadPoolExecutor(4) as pods:
        for result in [pods.submit(run, config.model_copy(update={"worker": each})) for each in (0, 1, 0, 1)]:
            result.result()
    assert tree(tmp_path) == whole


def test_only_the_last_worker_to_end_makes_the_sets(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path, workers=3)
    results = [run(config.model_copy(update={"worker": worker})) for worker in (2, 0, 1)]
    assert [bool(each.manifests) for each in results] == [False, False, True]
    assert results[0].summary().startswith("worker 2 of 3 made its 8 shards (")
    assert sum(each.films_decoded for each in results) == len(ALL_FILMS)


def test_a_worker_with_nothing_to_do_ends_well(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path, workers=50, worker=49)
    assert run(config).summary().startswith("worker 49 of 50 made its 0 shards (0 films")


def test_the_pod_of_an_indexed_job_knows_its_number(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert run(settings(source, tmp_path, workers=2)).worker == "worker 1 of 2"
    assert run(settings(source, tmp_path, workers=2, worker=0)).worker == "worker 0 of 2"


def test_a_worker_that_is_none_of_them_is_a_usage_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^prepare.worker: 2 is not one of 0 to 1, as prepare.workers is 2; count"):
        run(settings(source, tmp_path, workers=2, worker=2))
