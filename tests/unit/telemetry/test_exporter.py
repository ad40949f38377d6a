"""Ranks write, one port serves them all: scraped over HTTP from real processes."""

import socket
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from trainer.errors import UsageError
from trainer.telemetry import catalog
from trainer.telemetry.exporter import DIRECTORY_VARIABLE, Recorder, serve

RANK = """
import sys
from trainer.telemetry import catalog
from trainer.telemetry.exporter import Recorder
rank = int(sys.argv[1])
recorder = Recorder(rank)
recorder.add(catalog.FILMS, 16)
recorder.add(catalog.FILMS, 16 * rank)
recorder.set(catalog.LOSS, 0.5 + rank)
recorder.observe(catalog.STEP_SECONDS, 0.2)
recorder.set(catalog.STEP, 7)
recorder.set(catalog.VALIDATION_AUROC, 0.75, "Mass")
recorder.add(catalog.RESTARTS, 2)
"""


@pytest.fixture
def memory(monkeypatch):
    """A registry whose metrics stay in this process."""
    monkeypatch.delenv(DIRECTORY_VARIABLE, raising=False)
    return CollectorRegistry()


@pytest.fixture
def endpoint(tmp_path):
    server = serve(0, "127.0.0.1", tmp_path)
    yield server
    server.close()


def scrape(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}
    return families, samples


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """What one port serves once two processes have written, as metric families and as samples."""
    directory = tmp_path_factory.mktemp("metrics")
    for rank in "01":
        subprocess.run([sys.executable, "-c", RANK, rank], env={DIRECTORY_VARIABLE: str(directory)}, check=True)
    server = serve(0, "127.0.0.1", directory)
    yield scrape(server)
    server.close()


def test_every_rank_of_the_node_is_served_with_its_label(two_ranks):
    _, samples = two_ranks
    assert [samples["cxr_train_films_total", rank] for rank in "01"] == [16, 32]
    assert [samples["cxr_train_loss", rank] for rank in "01"] == [0.5, 1.5]
    assert [samples["cxr_train_step_seconds_count", rank] for rank in "01"] == [1, 1]
    assert samples["cxr_train_skipped_steps_total", "1"] == 0


def test_the_job_is_told_once_and_by_rank_0(two_ranks):
    _, samples = two_ranks
    assert samples["cxr_train_restarts_total",] == 2
    assert samples["cxr_train_step",] == 7
    assert samples["cxr_train_validation_auroc", "Mass"] == 0.75


def test_what_is_served_is_in_the_catalog_with_its_kind_and_help(two_ranks):
    families, _ = two_ranks
    known = {each.name.removesuffix("_total"): (each.kind, each.help) for each in catalog.METRICS}
    assert families
    assert all(known[each.name] == (each.type, each.documentation) for each in families)


def test_a_gauge_nobody_has_set_is_not_served_as_zero(two_ranks):
    _, samples = two_ranks
    assert not [key for key in samples if key[0] == catalog.LAST_STEP_TIMESTAMP.name]


def test_no_sample_carries_a_process_id(two_ranks):
    families, _ = two_ranks
    labels = {name for family in families for sample in family.samples for name in sample.labels}
    assert labels == {"rank", "class", "le"}


def test_a_port_in_use_is_a_usage_error_that_names_the_key(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"telemetry.port: {port} cannot be served on 127.0.0.1: .*in use"):
            serve(port, "127.0.0.1", tmp_path)


def test_an_address_of_another_machine_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be served on 192\.0\.2\.1"):
        serve(0, "192.0.2.1", tmp_path)


def test_a_closed_server_frees_its_port(tmp_path):
    server = serve(0, "127.0.0.1", tmp_path)
    server.close()
    again = serve(server.port, "127.0.0.1", tmp_path)
    again.close()
    assert again.port == server.port


def test_without_a_folder_values_stay_in_the_registry(memory):
    recorder = Recorder(3, memory)
    recorder.set(catalog.LEARNING_RATE, 1e-4)
    recorder.add(catalog.FILMS, 8)
    recorder.observe(catalog.STEP_SECONDS, 0.2)
    assert memory.get_sample_value("cxr_train_learning_rate", {"rank": "3"}) == 1e-4
    assert memory.get_sample_value("cxr_train_films_total", {"rank": "3"}) == 8
    assert memory.get_sample_value("cxr_train_step_seconds_bucket", {"rank": "3", "le": "0.25"}) == 1


def test_the_environment_counts_when_the_recorder_is_made_not_when_the_library_is_imported(
    memory, tmp_path, endpoint, monkeypatch
):
    Recorder(0, memory)
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path))
    Recorder(0).set(catalog.EPOCH, 4)
    assert scrape(endpoint)[1]["cxr_train_epoch",] == 4


def test_ranks_other_than_0_keep_no_metric_of_the_job(memory):
    Recorder(1, memory).add(catalog.RESTARTS, 1)
    assert memory.get_sample_value("cxr_train_restarts_total") is None


def test_a_write_that_does_not_fit_the_kind_or_the_labels_is_refused(memory):
    recorder = Recorder(0, memory)
    with pytest.raises(TypeError, match="cxr_train_films_total is a counter: it takes inc, not set"):
        recorder.set(catalog.FILMS, 1.0)
    with pytest.raises(ValueError, match="zip"):
        recorder.set(catalog.VALIDATION_AUROC, 0.5)
