"""One, two and four ranks compute the same: gradients and losses of the same global batches."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

Computed = dict[str, Any]


@pytest.fixture(scope="module")
def computed(start_program, small_sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Computed]:
    """What programs/equality.py computes on so many ranks; once for each number."""
    kept: dict[int, Computed] = {}

    def compute(ranks: int) -> Computed:
        if ranks not in kept:
            folder = tmp_path_factory.mktemp(f"equality_{ranks}")
            arguments = (str(ranks), str(small_sets / "training"), str(folder))
            # Synchronised batch norm waits for many small averages, one after the other.
            with start_program("equality.py", folder, *arguments, HOROVOD_CYCLE_TIME="1") as job:
                job.done()
            kept[ranks] = json.loads((folder / "computed.json").read_text())
        return kept[ranks]

    return compute


@pytest.mark.parametrize("batch", ["full", "filled up"])
@pytest.mark.parametrize("ranks", [2, 4])
def test_averaged_gradient_is_that_of_one_process_with_the_whole_batch(computed, ranks: int, batch: str) -> None:
    assert computed(ranks)["distance_from_whole"][batch] < 1e-12


@pytest.mark.parametrize("batch", ["full", "filled up"])
@pytest.mark.parametrize("ranks", [2, 4])
def test_synchronised_batch_norm_gives_the_gradients_of_one_rank(computed, ranks: int, batch: str) -> None:
    ours, alone = computed(ranks)["gradients"][batch], computed(1)["gradients"][batch]
    assert {name: pytest.approx(each, rel=1e-9, abs=1e-9) for name, each in alone.items()} == ours


@pytest.mark.parametrize("ranks", [2, 4])
def test_loss_of_twenty_steps_is_that_of_one_rank(computed, ranks: int) -> None:
    ours, alone = computed(ranks)["losses"], computed(1)["losses"]
    assert len(alone) == 20
    assert np.abs(np.subtract(ours, alone)).max() < 1e-9


@pytest.mark.parametrize("ranks", [2, 4])
def test_first_loss_in_float32_is_that_of_one_rank(computed, ranks: int) -> None:
    assert abs(computed(ranks)["first_loss_float32"] - computed(1)["first_loss_float32"]) < 1e-5
