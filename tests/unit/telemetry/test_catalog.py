"""The catalog keeps Prometheus's naming rules, and the page is generated from it."""

from pathlib import Path

import pytest

from trainer.telemetry.catalog import METRICS, markdown


def test_the_page_of_metrics_is_the_catalogs():
    assert (Path(__file__).parents[3] / "docs" / "metrics.md").read_text() == markdown()


def test_names_are_unique():
    assert len({each.name for each in METRICS}) == len(METRICS) > 20


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_names_labels_and_buckets_keep_the_rules(metric):
    assert metric.name.startswith("cxr_train_")
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert set(metric.labels) <= {"rank", "class"}
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert metric.help.endswith(".")
    assert f"`{metric.name}`" in markdown()
