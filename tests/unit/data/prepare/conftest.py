"""A source of films, and what is made of it without interruption."""

from pathlib import Path

import pytest

from tests.unit.data.prepare.given import draw_source, run, settings


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    draw_source(root)
    return root


@pytest.fixture(scope="session")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared without interruption, by one worker, in one process."""
    destination = tmp_path_factory.mktemp("prepared") / "sets"
    run(settings(source, destination))
    return destination
