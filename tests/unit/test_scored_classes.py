"""Which classes are scored: all of one label set, of two the shared ones, and only for who asks for it."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import write_set
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.labels import CHEXPERT14, NIH15
from trainer.scored_classes import ScoredClasses, scored_classes


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> FilmSet:
    """A small set with CheXpert's labels."""
    folder = write_set(tmp_path_factory.mktemp("chexpert"), "test", 6, labels="chexpert14")
    return FilmSet.open(FolderStore(folder, "data.test"))


def of(films: FilmSet, trained: Any, *, asked: bool = True, image_size: int = 32) -> ScoredClasses:
    return scored_classes(Config.model_validate({"evaluate": {"shared_classes": asked}}), films, trained, image_size)


def test_a_set_of_the_same_classes_is_scored_on_all_of_them(films: FilmSet) -> None:
    found = of(films, list(CHEXPERT14.classes), asked=False)
    assert (found.names, found.part) == (CHEXPERT14.classes, "")
    assert found.outputs == found.columns == list(range(14))
    assert [found.names[each] for each in found.findings] == list(CHEXPERT14.findings)


def test_a_set_of_other_classes_is_scored_on_the_shared_ones_and_says_so(
    films: FilmSet, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "cxr_train"):
        found = of(films, NIH15.classes)
    assert len(found.names) == 8
    assert found.part == "-chexpert14"
    assert "8 classes that are shared by the set's 14 (chexpert14) and the checkpoint's 15: Atelectasis" in caplog.text


def test_no_finding_is_scored_but_is_none_of_the_findings(films: FilmSet) -> None:
    found = of(films, NIH15.classes)
    assert "No Finding" in found.names
    assert "No Finding" not in [found.names[each] for each in found.findings]
    assert len(found.findings) == 7


def test_scores_and_labels_of_one_finding_stand_in_one_column(films: FilmSet) -> None:
    found = of(films, NIH15.classes)
    outputs = found.of_network(np.arange(15, dtype=np.float32)[None])[0]
    labels = found.of_set(np.arange(14, dtype=np.float32)[None])[0]
    place = found.names.index("Pleural Effusion")
    assert NIH15.classes[int(outputs[place])] == "Effusion"
    assert CHEXPERT14.classes[int(labels[place])] == "Pleural Effusion"


def test_other_classes_are_refused_unless_they_are_asked_for(films: FilmSet) -> None:
    rule = r"is labelled with chexpert14, other .*; set evaluate.shared_classes=true to score the 8 classes that both"
    with pytest.raises(DataError, match=rule):
        of(films, NIH15.classes, asked=False)


@pytest.mark.parametrize("asked", [True, False])
def test_a_set_without_a_common_class_is_refused(films: FilmSet, asked: bool) -> None:
    with pytest.raises(DataError, match=r"^data.test: '.*' is labelled with chexpert14, which shares no class with"):
        of(films, ["Hernia", "Mass"], asked=asked)


def test_films_of_another_size_are_refused_whatever_their_classes(films: FilmSet) -> None:
    with pytest.raises(DataError, match="holds films of 32x32 pixels, the checkpoint was trained on 64; evaluate on a"):
        of(films, list(CHEXPERT14.classes), image_size=64)
