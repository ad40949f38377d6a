"""Settings as parameters: all that decide what is learnt, and nothing that only some may know."""

import pytest

from trainer.config import Config
from trainer.trackers.parameters import LONGEST, masked, parameters


def test_settings_are_told_by_their_dotted_keys() -> None:
    found = parameters(Config.model_validate({"train": {"epochs": 3}, "model": {"name": "resnet18"}}))
    assert found["train.epochs"] == "3"
    assert found["model.name"] == "resnet18"
    assert found["optimizer.schedule.name"] == "constant"
    assert found["train.deterministic"] == "false"


def test_what_is_empty_is_not_told() -> None:
    assert "model.weights" not in parameters(Config())


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("s3://key:secret@bucket/films", "s3://bucket/films"),
        ("https://me@host:9000/a?X-Amz-Signature=secret&b=c", "https://host:9000/a"),
        ("s3://key:sec/ret@bucket", "s3://bucket"),
        ("https://me:sec@ret@host:9000/a", "https://host:9000/a"),
        ("https://host:9000/films@home", "https://host:9000/films@home"),
        ("/data/films@home", "/data/films@home"),
        ("s3://bucket/a/b", "s3://bucket/a/b"),
    ],
)
def test_an_address_is_told_without_what_was_typed_into_it(typed: str, told: str) -> None:
    assert masked(typed) == told
    config = Config.model_validate({"data": {"training": typed}, "checkpoint": {"directory": typed}})
    found = parameters(config)
    assert (found["data.training"], found["checkpoint.directory"]) == (told, told)


def test_no_secret_of_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "CXR_TRAIN_PATIENT_KEY"):
        monkeypatch.setenv(name, "hush")
    assert not [each for each in parameters(Config()).values() if "hush" in each]


def test_a_value_is_as_long_as_an_older_server_takes() -> None:
    config = Config.model_validate({"data": {"training": "a" * 2000}})
    assert len(parameters(config)["data.training"]) == LONGEST
