"""The sets: by NIH's lists or by patient, never with a patient in two."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import ColumnsConfig, PrepareConfig, StoreConfig
from trainer.data.source.record import Assignment, Record
from trainer.data.source.splits import assign_splits
from trainer.errors import DataError, UsageError


def films(patients: int, split: Assignment = "") -> list[Record]:
    return [
        Record(f"{patient:08d}_{k:03d}.png", str(patient), (), split) for patient in range(patients) for k in range(2)
    ]


def by_patient(**settings: object) -> PrepareConfig:
    return PrepareConfig(split="patient", **settings)


def official(tmp_path: Path, training: list[str], test: list[str], **settings: object) -> PrepareConfig:
    for name, names in (("train.txt", training), ("test.txt", test)):
        (tmp_path / name).write_text("\n".join(names))
    return PrepareConfig(train_list=str(tmp_path / "train.txt"), test_list=str(tmp_path / "test.txt"), **settings)


@given(seed=st.integers(0, 2**40), patients=st.integers(200, 300), more=st.integers(1, 100))
def test_adding_patients_moves_no_other(seed: int, patients: int, more: int) -> None:
    before = assign_splits(films(patients), by_patient(seed=seed), StoreConfig())
    after = assign_splits(films(patients + more), by_patient(seed=seed), StoreConfig())
    assert after[: len(before)] == before


def test_a_patients_films_stay_together() -> None:
    splits: dict[str, set[str]] = {}
    for record in assign_splits(films(500), by_patient(), StoreConfig()):
        splits.setdefault(record.patient, set()).add(record.split)
    assert all(len(each) == 1 for each in splits.values())


def test_fractions_are_of_the_patients() -> None:
    records = assign_splits(films(5000), by_patient(validation_fraction=0.1, test_fraction=0.2), StoreConfig())
    share = {split: sum(each.split == split for each in records) / len(records) for split in ("validation", "test")}
    assert share["validation"] == pytest.approx(0.1, abs=0.015)
    assert share["test"] == pytest.approx(0.2, abs=0.02)


def test_another_seed_draws_other_patients() -> None:
    assert assign_splits(films(300), by_patient(seed=1), StoreConfig()) != assign_splits(
        films(300), by_patient(seed=2), StoreConfig()
    )


def test_no_validation_set_is_drawn_for_fraction_zero() -> None:
    records = assign_splits(films(300), by_patient(validation_fraction=0, test_fraction=0), StoreConfig())
    assert {each.split for each in records} == {"training"}


def test_fractions_that_leave_no_training_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"prepare.validation_fraction: 0.5 .*test_fraction 0.5.*less than 1"):
        assign_splits(films(10), by_patient(validation_fraction=0.5, test_fraction=0.5), StoreConfig())


def test_official_lists_decide_and_validation_is_taken_from_training_patients(tmp_path: Path) -> None:
    records = films(400)
    names = [each.film for each in records]
    config = official(tmp_path, names[:600], names[600:700], validation_fraction=0.2)
    assigned = assign_splits(records, config, StoreConfig())
    assert all(each.split == "test" for each in assigned[600:700])
    assert all(each.split in ("training", "validation") for each in assigned[:600])
    assert {each.split for each in assigned[700:]} == {""}
    assert 0.1 < sum(each.split == "validation" for each in assigned) / 600 < 0.3


def test_a_patient_in_both_official_lists_stops_it(tmp_path: Path) -> None:
    names = [each.film for each in films(50)]
    with pytest.raises(DataError) as error:
        assign_splits(films(50), official(tmp_path, names[0::2], names[1::2]), StoreConfig())
    assert str(error.value).startswith("prepare.split: ")
    assert "50 patients" in str(error.value)
    assert "prepare.split=patient" in str(error.value)


def test_a_film_in_both_official_lists_stops_it(tmp_path: Path) -> None:
    names = [each.film for each in films(50)]
    with pytest.raises(DataError, match=r"prepare.test_list: .* names 20 films .*; name each film in one"):
        assign_splits(films(50), official(tmp_path, names[:80], names[60:]), StoreConfig())


@pytest.mark.parametrize("key", ["train_list", "test_list"])
def test_an_official_split_without_lists_names_the_setting(tmp_path: Path, key: str) -> None:
    config = official(tmp_path, [], []).model_copy(update={key: ""})
    with pytest.raises(UsageError, match=rf"prepare.{key}: '' is empty; name the list .*prepare.split=patient"):
        assign_splits(films(5), config, StoreConfig())


def test_a_list_that_is_not_there_is_a_data_error(tmp_path: Path) -> None:
    config = official(tmp_path, [], []).model_copy(update={"train_list": "/nowhere.txt"})
    with pytest.raises(DataError, match=r"prepare.train_list: '/nowhere.txt' is not a file; check the path"):
        assign_splits(films(5), config, StoreConfig())


def test_a_list_that_is_not_text_is_a_data_error(tmp_path: Path) -> None:
    config = official(tmp_path, [], [])
    Path(config.train_list).write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(DataError, match=r"prepare.train_list: '.*' is not text .*; name a list of film names"):
        assign_splits(films(5), config, StoreConfig())


def test_a_set_that_is_empty_though_asked_for_stops_it(tmp_path: Path) -> None:
    names = [each.film for each in films(2)]
    with pytest.raises(DataError, match=r"prepare.split: 'validation' .*prepare.validation_fraction=0"):
        assign_splits(films(2), official(tmp_path, names[:2], names[2:], validation_fraction=1e-9), StoreConfig())


def test_lists_that_name_no_film_of_the_table_stop_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"prepare.split: 'training' would hold no film .*check that the lists"):
        assign_splits(films(2), official(tmp_path, ["x.png"], ["y.png"]), StoreConfig())


def test_a_column_decides_before_the_setting() -> None:
    config = PrepareConfig(catalog="csv", columns=ColumnsConfig(split="set"))
    records = films(3, "training")
    assert assign_splits(records, config, StoreConfig()) == records


def test_a_column_that_divides_a_patient_stops_it() -> None:
    config = PrepareConfig(catalog="csv", columns=ColumnsConfig(split="set"))
    with pytest.raises(DataError, match=r"prepare.columns.split: 'set' puts 3 patients into two"):
        assign_splits(films(3, "training")[::2] + films(3, "test")[1::2], config, StoreConfig())
