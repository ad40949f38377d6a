"""Films that are missing, bad, twice there or in archives: stopped at, or left out and counted."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.unit.data.prepare.given import (
    ALL_FILMS,
    TEST_FILMS,
    link_all_but,
    pack,
    refusal,
    run,
    settings,
    tree,
    with_bad,
)
from trainer.data.shard.manifest import read_manifest
from trainer.data.store.folder import FolderStore
from trainer.errors import StoreDown, UsageError


def test_an_archive_gives_the_films_of_its_folder(source: Path, prepared: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", source=(str(pack(source, tmp_path / "films.tar.gz")),)))
    for split in ("training", "validation", "test"):
        ours, theirs = (read_manifest(FolderStore(sets / split, "")) for sets in (tmp_path / "sets", prepared))
        assert (ours.films, ours.patients, ours.counts) == (theirs.films, theirs.patients, theirs.counts)


def test_a_film_in_two_archives_stops_it(source: Path, tmp_path: Path) -> None:
    archives = [pack(source, tmp_path / "a.tar"), pack(source / "images_001", tmp_path / "b.tar")]
    config = settings(source, tmp_path / "sets", source=tuple(map(str, archives)))
    refusal(config, "prepare.source", "is in two archives", "keep one file a film")


def test_a_film_in_a_folder_and_an_archive_stops_it(source: Path, tmp_path: Path) -> None:
    archive = pack(source / "images_001", tmp_path / "a.tar")
    config = settings(source, tmp_path / "sets", source=(str(source), str(archive)))
    refusal(config, "prepare.source", "is the same film as", "keep one file a film")


def test_files_that_the_table_does_not_name_are_counted(source: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "stranger.png")
    result = run(settings(source, tmp_path / "sets", source=(str(source), str(tmp_path))))
    assert result.files_unlisted == 1


@pytest.mark.parametrize("key", ["source", "destination", "table"])
def test_a_setting_that_is_missing_is_a_usage_error(source: Path, tmp_path: Path, key: str) -> None:
    empty = () if key == "source" else ""
    refusal(settings(source, tmp_path / "sets", **{key: empty}), f"prepare.{key}", "is empty; name", kind=UsageError)


def test_a_source_without_films_stops_it(source: Path, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "README").touch()
    config = settings(source, tmp_path / "sets", source=(str(tmp_path / "films"),), on_missing_film="skip")
    refusal(config, "prepare.source", "films", "holds no film that the table names", "check the path")


def test_missing_films_stop_it_and_three_are_named(source: Path, tmp_path: Path) -> None:
    films = link_all_but(source, tmp_path / "films", *ALL_FILMS[:5])
    named = ", ".join(ALL_FILMS[:3])
    config = settings(source, tmp_path / "sets", source=(str(films),))
    refusal(config, "prepare.source", named, "5 films", "prepare.on_missing_film=skip")
    refusal(config.model_copy(update={"source": (str(pack(films, tmp_path / "films.tar")),)}), named, "5 films")


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_missing_films_may_be_skipped_and_are_counted(source: Path, tmp_path: Path, form: str) -> None:
    films = link_all_but(source, tmp_path / "films", *ALL_FILMS[:5])
    given = films if form == "folder" else pack(films, tmp_path / "films.tar")
    result = run(settings(source, tmp_path / "sets", source=(str(given),), on_missing_film="skip"))
    assert result.films_missing == 5
    assert sum(each.films for each in result.manifests.values()) == len(ALL_FILMS) - 5


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bad_film_stops_it_and_is_named(source: Path, tmp_path: Path, processes: int) -> None:
    films = with_bad(source, tmp_path / "films")
    config = settings(source, tmp_path / "sets", source=(str(films),), processes=processes)
    refusal(config, "prepare.source", ALL_FILMS[7], "truncated", "prepare.on_bad_film=skip")


def test_a_bad_film_may_be_skipped_and_is_listed(source: Path, tmp_path: Path) -> None:
    films = with_bad(source, tmp_path / "films")
    result = run(settings(source, tmp_path / "sets", source=(str(films),), on_bad_film="skip"))
    assert result.films_bad == 1
    listed = pd.read_csv(tmp_path / "sets" / "bad_films.csv")
    assert listed.to_dict("records") == [{"film": ALL_FILMS[7], "reason": "is a truncated PNG"}]


def test_a_bad_film_moves_no_other_to_another_shard(source: Path, prepared: Path, tmp_path: Path) -> None:
    films = with_bad(source, tmp_path / "films")
    run(settings(source, tmp_path / "sets", source=(str(films),), on_bad_film="skip"))
    ours, theirs = tree(tmp_path / "sets"), tree(prepared)
    changed = {name for name in theirs if name.endswith(".tfrecord") and ours[name] != theirs[name]}
    assert len(changed) == 1


def test_a_bad_film_may_be_replaced_and_the_run_goes_on(source: Path, prepared: Path, tmp_path: Path) -> None:
    films = with_bad(source, tmp_path / "films")
    config = settings(source, tmp_path / "sets", source=(str(films),))
    refusal(config, ALL_FILMS[7])
    (films / ALL_FILMS[7]).write_bytes(next(source.rglob(ALL_FILMS[7])).read_bytes())
    run(config)
    assert tree(tmp_path / "sets") == tree(prepared)


def test_a_film_that_was_skipped_is_tried_again_where_it_may_not_be(
    source: Path, prepared: Path, tmp_path: Path
) -> None:
    films = with_bad(source, tmp_path / "films")
    skipping = settings(source, tmp_path / "sets", source=(str(films),), on_bad_film="skip", workers=2)
    run(skipping.model_copy(update={"worker": 0}))
    run(skipping.model_copy(update={"worker": 1}))
    for manifest in (tmp_path / "sets").glob("*/manifest.json"):
        manifest.unlink()
    (films / ALL_FILMS[7]).write_bytes(next(source.rglob(ALL_FILMS[7])).read_bytes())
    run(settings(source, tmp_path / "sets", source=(str(films),)))
    assert tree(tmp_path / "sets") == tree(prepared)


def test_a_set_whose_films_are_all_missing_stops_it(source: Path, tmp_path: Path) -> None:
    films = link_all_but(source, tmp_path / "films", *TEST_FILMS)
    config = settings(source, tmp_path / "sets", source=(str(films),), on_missing_film="skip")
    refusal(config, "prepare.source", "'test'", "would hold no film", "prepare.source")


def test_a_file_that_cannot_be_read_is_no_bad_film(source: Path, tmp_path: Path) -> None:
    """A store that fails in the midst must not make good films count as bad."""
    films = tmp_path / "films"
    shutil.copytree(source, films)
    victim = next(films.rglob(ALL_FILMS[7]))
    victim.unlink()
    victim.symlink_to("/proc/self/mem")
    with pytest.raises(StoreDown, match=f"{ALL_FILMS[7]}' cannot be used"):
        run(settings(films, tmp_path / "sets", on_bad_film="skip"))
    assert list(tmp_path.glob("sets/*/manifest.json")) == []
