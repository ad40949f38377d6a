"""A run that was killed goes on where it stopped, to the bytes of one that was not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.data.prepare.given import ALL_FILMS, pack, run, settings, shards, tree
from trainer.config import PrepareConfig, StoreConfig
from trainer.data.prepare.run import prepare
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import read_manifest
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.labels import NIH15

STOP_AT_FIRST_SHARD = """
import multiprocessing, sys
from pathlib import Path
from trainer.config import PrepareConfig, StoreConfig
from trainer.data.prepare.run import prepare
from trainer.labels import NIH15

config = PrepareConfig.model_validate_json(sys.argv[1])

def progress(done, total):
    if list(Path(config.destination, "parts").glob("*/*.json")):
        print(done, flush=True)
        sys.stdin.read()

prepare(config, StoreConfig(), NIH15, progress)
"""


def killed_after_the_first_shard(config: PrepareConfig) -> None:
    """Runs prepare in a process of its own and ends it with SIGKILL; returns once its workers have ended too."""
    command = [sys.executable, "-c", STOP_AT_FIRST_SHARD, config.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert 0 < int(process.stdout.readline()) < len(ALL_FILMS)
        process.kill()
        # The workers hold the pipe's other end as well.
        assert process.stdout.read() == b""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_killed_run_goes_on_to_the_bytes_of_an_uninterrupted_one(source: Path, tmp_path: Path, form: str) -> None:
    given = {"source": (str(source if form == "folder" else pack(source, tmp_path / "films.tar.gz")),)}
    config = settings(source, tmp_path / "sets", processes=2, **given)
    killed_after_the_first_shard(config)
    with pytest.raises(DataError, match=r"has no manifest\.json"):
        read_manifest(FolderStore(tmp_path / "sets" / "training", "data.training"))
    finished = sum(len(names_in(path)) for path in finished_shards(tmp_path / "sets"))

    result = run(config.model_copy(update={"processes": 1}))
    assert result.films_decoded == len(ALL_FILMS) - finished
    run(settings(source, tmp_path / "whole", **given))
    assert tree(tmp_path / "sets") == tree(tmp_path / "whole")


class Interrupted(Exception):
    pass


def interrupt_halfway(config: PrepareConfig) -> None:
    def progress(done: int, total: int) -> None:
        if done > total / 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        prepare(config, StoreConfig(), NIH15, progress)


def finished_shards(sets: Path) -> list[Path]:
    parts = sets.glob("parts/*/shard-*.json")
    return [sets / part.parent.name / f"{part.stem}.tfrecord" for part in parts]


def names_in(shard: Path) -> list[str]:
    return ShardIndex(Path(f"{shard}.index.npy").read_bytes()).ids()


def test_finished_films_are_not_opened_again(source: Path, prepared: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    copy = tmp_path / "copy"
    copy.mkdir()
    finished = {name for path in finished_shards(tmp_path / "sets") for name in names_in(path)}
    assert finished
    for path in source.rglob("*.png"):
        (copy / path.name).write_bytes(b"" if path.name in finished else path.read_bytes())
    run(config.model_copy(update={"source": (str(copy),)}))
    assert tree(tmp_path / "sets") == tree(prepared)


@pytest.mark.parametrize("spoil", ["missing", "cut short", "without index"])
def test_a_shard_that_is_not_what_was_recorded_is_made_again(
    source: Path, prepared: Path, tmp_path: Path, spoil: str
) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    path = finished_shards(tmp_path / "sets")[0]
    if spoil == "missing":
        path.unlink()
    elif spoil == "cut short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        Path(f"{path}.index.npy").unlink()
    run(config)
    assert tree(tmp_path / "sets") == tree(prepared)


def test_a_damaged_record_is_named_with_its_cure(source: Path, prepared: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    part = next((tmp_path / "sets" / "parts").glob("*/*.json"))
    part.write_bytes(part.read_bytes()[:20])
    with pytest.raises(DataError, match=rf"{part}' is damaged .*; delete it; what it records will be made anew"):
        run(config)
    part.unlink()
    run(config)
    assert tree(tmp_path / "sets") == tree(prepared)


def test_a_complete_destination_is_done_at_once(source: Path, tmp_path: Path) -> None:
    first = run(settings(source, tmp_path / "sets"))
    before = tree(tmp_path / "sets")
    again = run(settings(source, tmp_path / "sets"))
    assert (first.already_complete, again.already_complete) == (False, True)
    assert again.films_decoded == 0
    assert again.manifests == first.manifests
    assert again.summary().startswith("already complete: training ")
    assert tree(tmp_path / "sets") == before


def test_lost_manifests_are_written_again_without_decoding(source: Path, prepared: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    run(config)
    for manifest in (tmp_path / "sets").glob("*/manifest.json"):
        manifest.unlink()
    assert run(config).films_decoded == 0
    assert tree(tmp_path / "sets") == tree(prepared)
    assert sum(1 for _ in shards(tmp_path / "sets" / "training")) > 2
