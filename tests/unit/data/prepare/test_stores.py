"""Films, tables and sets in a bucket of a real S3 server: the bytes are those of folders."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.s3 import Bucket
from tests.unit.data.prepare.given import REAL_FILMS, pack, run, settings, tree
from tests.unit.data.prepare.mortal import Life
from tests.unit.data.prepare.test_workers import live
from trainer.config import PrepareConfig
from trainer.data.store.opening import open_store
from trainer.errors import DataError
from trainer.labels import NIH15


def objects(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    store = open_store(f"{bucket.url}/{prefix}", bucket.config, "test")
    return {entry.name: store.read(entry.name) for entry in store.entries()}


@pytest.fixture
def raw(source: Path, s3: Bucket) -> str:
    """The source, in the bucket."""
    shutil.copytree(source, s3.folder / "raw")
    return f"{s3.url}/raw"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bucket_gives_and_takes_the_bytes_of_folders(
    raw: str, prepared: Path, s3: Bucket, tmp_path: Path, processes: int
) -> None:
    run(settings(raw, f"{s3.url}/sets", processes=processes), stores=s3.config)
    assert objects(s3, "sets") == tree(prepared)
    run(settings(raw, tmp_path), stores=s3.config)
    assert tree(tmp_path) == tree(prepared)


@pytest.mark.parametrize("name", ["films.tar", "films.tar.gz"])
def test_an_archive_is_streamed_from_a_bucket(source: Path, s3: Bucket, tmp_path: Path, name: str) -> None:
    archive = pack(source, s3.folder / name)
    run(settings(source, f"{s3.url}/sets", source=(f"{s3.url}/{name}",)), stores=s3.config)
    run(settings(source, tmp_path, source=(str(archive),)))
    assert objects(s3, "sets") == tree(tmp_path)


def test_workers_killed_and_copied_on_a_bucket_make_the_bytes_of_one(raw: str, prepared: Path, s3: Bucket) -> None:
    config = settings(raw, f"{s3.url}/sets", workers=3)
    for worker, writes, after in ((0, 0, True), (1, 7, False), (2, 4, True), (0, 11, True)):
        live(config, worker, Life(writes, after=after))
    with ThreadPoolExecutor(4) as pods:
        for pod in [pods.submit(run, config.model_copy(update={"worker": each})) for each in (0, 1, 2, 1)]:
            pod.result()
    assert objects(s3, "sets") == tree(prepared)


def test_other_settings_are_refused_on_a_bucket(raw: str, s3: Bucket) -> None:
    run(settings(raw, f"{s3.url}/sets", workers=2, worker=0), stores=s3.config)
    with pytest.raises(DataError, match=r"prepare.destination: 's3://.*/sets' was begun with prepare.seed '0'"):
        run(settings(raw, f"{s3.url}/sets", seed=1), stores=s3.config)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "{url}/nothing"}, "prepare.source: '{url}/nothing' holds no file; check the path"),
        ({"table": "{url}/raw/absent.csv"}, "prepare.table: '{url}/raw/absent.csv' is not a file; check the path"),
        ({"test_list": "{url}/raw/no.txt"}, "prepare.test_list: '{url}/raw/no.txt' is not a file; check the path"),
        ({"source": "{url}/raw/table.csv"}, "prepare.source: '{url}/raw/table.csv' is a file, but no archive"),
    ],
)
def test_what_is_not_in_a_bucket_is_named_by_its_url(raw: str, s3: Bucket, changes: dict[str, str], told: str) -> None:
    given = {key: value.format(url=s3.url) for key, value in changes.items()}
    with pytest.raises(DataError) as error:
        run(settings(raw, f"{s3.url}/sets", **given), stores=s3.config)
    assert str(error.value).startswith(told.format(url=s3.url))


@pytest.mark.skipif(not (REAL_FILMS / "nih" / "originals").is_dir(), reason="real films: set CXR_TRAIN_TEST_FILMS")
def test_real_films_of_all_forms_go_through_a_bucket(s3: Bucket, tmp_path: Path) -> None:
    nih = REAL_FILMS / "nih"
    shutil.copytree(nih / "originals", s3.folder / "raw" / "originals")
    for name in ("Data_Entry_2017_v2020.csv.gz", "train_val_list.txt", "test_list.txt"):
        shutil.copy(nih / name, s3.folder / "raw" / name)

    def config(root: str, films: str, into: str) -> PrepareConfig:
        return PrepareConfig(
            source=(films,),
            destination=into,
            table=f"{root}/Data_Entry_2017_v2020.csv.gz",
            train_list=f"{root}/train_val_list.txt",
            test_list=f"{root}/test_list.txt",
            on_missing_film="skip",
            on_bad_film="skip",
            split="patient",
            processes=1,
        )

    result = run(config(f"{s3.url}/raw", f"{s3.url}/raw/originals", f"{s3.url}/sets"), NIH15, s3.config)
    assert sum(each.films for each in result.manifests.values()) == len(list((nih / "originals").iterdir()))
    run(config(str(nih), str(nih / "originals"), str(tmp_path)))
    assert objects(s3, "sets") == tree(tmp_path)
