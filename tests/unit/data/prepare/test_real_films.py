"""Real films: the sets count what the official table says."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.data.prepare.given import REAL_FILMS, run
from trainer.config import PrepareConfig
from trainer.labels import NIH15


@pytest.mark.skipif(not (REAL_FILMS / "nih" / "images_256").is_dir(), reason="real films: set CXR_TRAIN_TEST_FILMS")
def test_real_films_are_counted_as_the_official_table_says(tmp_path: Path) -> None:
    nih = REAL_FILMS / "nih"
    config = PrepareConfig(
        source=(str(nih / "images_256"),),
        destination=str(tmp_path),
        table=str(nih / "Data_Entry_2017_v2020.csv.gz"),
        train_list=str(nih / "train_val_list.txt"),
        test_list=str(nih / "test_list.txt"),
        on_missing_film="skip",
        image_size=32,
        processes=1,
    )
    result = run(config)
    there = {path.stem for path in (nih / "images_256").iterdir()}
    table = pd.read_csv(nih / "Data_Entry_2017_v2020.csv.gz")
    table = table[table["Image Index"].str.removesuffix(".png").isin(there)]
    in_test = table["Image Index"].isin((nih / "test_list.txt").read_text().split())
    for splits, rows in ((("training", "validation"), table[~in_test]), (("test",), table[in_test])):
        manifests = [result.manifests[split] for split in splits]
        assert sum(each.films for each in manifests) == len(rows)
        assert sum(each.patients for each in manifests) == rows["Patient ID"].nunique()
        for name in NIH15.classes:
            expected = rows["Finding Labels"].str.split("|").apply(lambda names, name=name: name in names).sum()
            assert sum(each.counts[name].positive for each in manifests) == expected
        for trait, column in (("sex", "Patient Gender"), ("view", "View Position")):
            for name, films in rows[column].value_counts().items():
                assert sum(getattr(each.people, trait)[name] for each in manifests) == films
        assert sum(each.people.age["80+"] for each in manifests) == (rows["Patient Age"] >= 80).sum()
        assert not any(sum(each.people.unread.values()) for each in manifests)
    assert json.loads((tmp_path / "training" / "manifest.json").read_text())["made"]["films_missing"] > 70_000
