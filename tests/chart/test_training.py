"""The trainer's settings: what the chart writes is a tree that the trainer takes, and holds no secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trainer import settings
from trainer.config import Config

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_trainer_takes_it(rendered: Any, variant: str) -> None:
    config = settings.validate(rendered[variant].training)
    assert config.telemetry.port == 9100
    assert config.telemetry.address == "0.0.0.0"  # noqa: S104
    assert config.data.training


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "gpu"), (8, "gpu")])
def test_ranks_use_what_their_workers_ask_for(render: Any, gpus: int, device: str) -> None:
    assert render({"workers": {"gpusPerWorker": gpus}}).training["train"]["device"] == device
    own = {"workers": {"gpusPerWorker": gpus}, "training": {"train": {"device": "auto"}}}
    assert render(own).training["train"]["device"] == "auto"


@pytest.mark.parametrize("variant", ["defaults", "cpu", "gpu-node", "kueue"])
def test_without_films_phantoms_are_prepared_where_they_are_read(rendered: Any, variant: str) -> None:
    config = settings.validate(rendered[variant].training)
    assert config.prepare.source == ("/data/films/films",)
    assert config.prepare.destination == "/data/set"
    assert config.data.training == "/data/set/training"
    assert config.data.validation == "/data/set/validation"
    assert config.data.test == "/data/set/test"


def test_phantoms_are_trained_on_as_in_the_demo() -> None:
    demo = yaml.safe_load((ROOT / "demo.yaml").read_text())
    chart = yaml.safe_load((ROOT / "helm" / "phantom.yaml").read_text())
    paths = {"source", "table", "train_list", "test_list", "destination"}
    demo["prepare"] = {key: value for key, value in demo["prepare"].items() if key not in paths}
    del demo["data"], demo["checkpoint"]
    assert chart == demo


def test_phantoms_leave_no_trace_where_there_are_films(rendered: Any) -> None:
    training = rendered["multi-node"].training
    assert not {"phantom", "prepare", "model", "evaluate"} & set(training)
    assert training["optimizer"] == {"scaling": "sqrt", "schedule": {"name": "cosine", "warmup_steps": 500}}


def test_a_setting_of_the_users_wins(render: Any) -> None:
    given = {"train": {"epochs": 1}, "checkpoint": {"directory": "/checkpoints/other"}, "telemetry": {"port": 9200}}
    training = render({"training": given}).training
    assert training["train"]["epochs"] == 1
    assert training["train"]["global_batch_size"] == 64
    assert training["checkpoint"]["directory"] == "/checkpoints/other"
    assert training["telemetry"] == {"port": 9200, "address": "0.0.0.0"}  # noqa: S104


@pytest.mark.parametrize(
    ("size", "gibibytes"),
    [("50Gi", 45.0), ("512Mi", 0.45), ("1.5Ti", 1382.4), ("100G", 83.8), (107374182400, 90.0), ("107374182400", 90.0)],
)
def test_the_cache_stays_below_the_size_at_which_its_pod_is_evicted(render: Any, size: Any, gibibytes: float) -> None:
    cache = settings.validate(render({"cache": {"sizeLimit": size}}).training).data.cache
    assert (cache.directory, cache.gibibytes) == ("/cache", pytest.approx(gibibytes, rel=1e-3))


def test_a_cache_of_the_users_own_is_left_alone(render: Any) -> None:
    own = {"data": {"cache": {"directory": "/scratch", "gibibytes": 7.0}}}
    cache = settings.validate(render({"training": own}).training).data.cache
    assert (cache.directory, cache.gibibytes) == ("/scratch", 7.0)


@pytest.mark.parametrize("value", [1e-7, 3e-4, 0.1, 1.0])
def test_a_number_arrives_as_it_was_written(render: Any, value: float) -> None:
    training = render({"training": {"optimizer": {"learning_rate": value}}}).training
    assert settings.validate(training).optimizer.learning_rate == value


def test_a_large_count_stays_a_count(render: Any) -> None:
    training = render({"training": {"phantom": {"films": 12_000_000}, "train": {"seed": 2**40}}}).training
    config = settings.validate(training)
    assert (config.phantom.films, config.train.seed) == (12_000_000, 2**40)


def test_every_setting_can_be_given(render: Any) -> None:
    given = Config().model_dump(mode="json")
    given["data"]["training"] = "s3://films/training"
    given["checkpoint"]["directory"] = "s3://runs/a"
    assert settings.validate(render({"training": given}).training) == settings.validate(given)


def test_a_secrets_name_is_all_that_is_known_of_it(rendered: Any) -> None:
    release = rendered["s3"]
    assert not release.all("Secret")
    assert "cxr-train-s3" not in str(release.all("ConfigMap"))


def test_variables_of_the_users_stay_out_of_configmaps(render: Any) -> None:
    release = render({"extraEnv": [{"name": "CXR_TRAIN_PATIENT_KEY", "value": "hidden-key"}]})
    assert "hidden-key" not in str(release.all("ConfigMap"))
    assert "hidden-key" not in release.notes
