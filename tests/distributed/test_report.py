"""The report of a run as it is trained, scored and reported on by its verbs, in a real browser."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import open_page

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def page(start_job, never_stopped, make_set, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scored on validation, then on test films."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copytree(never_stopped(2) / "run", folder / "run")
    test = f"data.test={make_set(folder / 'test', 'test', 60, seed=5, patient_prefix='t')}"
    for split in ("validation", "test"):
        with start_job("evaluate", folder, test, f"evaluate.split={split}", ranks=1) as job:
            job.done()
    with start_job("report", folder, test, "report.films_per_class=1", ranks=1) as job:
        job.done()
        assert any("report.html" in line for line in job.lines), job.said
    return folder / "run" / "report.html"


def test_it_opens_without_complaint_request_or_broken_image(page: Path, chromium: Browser) -> None:
    opened = open_page(chromium, page)
    assert (opened.complaints, opened.requests, opened.broken_images()) == ([], [], [])
    assert opened.page.locator(".pair").count() > 0
    opened.page.close()


def test_it_tells_the_course_of_the_run_and_its_thresholds(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "Mean validation AUROC over the epochs. epoch 1: " in text
    assert 'id="thresholds"' in text
