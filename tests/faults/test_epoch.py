"""A whole reader over a real server, under each fault: no film lost, none seen twice, or one line that says why."""

import re
from pathlib import Path

import pytest

from tests.faults.cases import CASES, Case, run


@pytest.mark.parametrize("case", CASES, ids=[case.fault for case in CASES])
def test_a_fault_ends_in_a_right_epoch_or_a_clear_error(case: Case, tmp_path: Path) -> None:
    try:
        outcome = run(case, tmp_path)
    except OSError as error:
        pytest.skip(str(error))
    if case.error:
        assert outcome.error is not None
        assert re.search(case.error, str(outcome.error)), str(outcome.error)
        assert "\n" not in str(outcome.error)
    else:
        assert outcome.error is None, str(outcome.error)
        assert outcome.lost == 0
    assert outcome.twice == 0
