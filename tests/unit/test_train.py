"""The loop's decisions, on values alone: stopping early, and what asks for a stop."""

import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from trainer.checkpoint.snapshot import State
from trainer.collectives import SingleRank
from trainer.config import Config
from trainer.signals import asked_to_stop
from trainer.validation import judge


def run_of(patience: int, **state: Any) -> Any:
    config = Config.model_validate({"train": {"early_stopping": {"patience_validations": patience}}})
    return SimpleNamespace(config=config, ranks=SingleRank(), state=State(**state))


def test_a_better_score_is_kept_and_counts_anew() -> None:
    run = run_of(2, best_auroc=0.6, validations_without_improvement=1)
    assert judge(run, 0.7)
    assert (run.state.best_auroc, run.state.validations_without_improvement, run.state.stopped_early) == (0.7, 0, False)


def test_patience_is_over_after_as_many_validations() -> None:
    run = run_of(2, best_auroc=0.6)
    assert not judge(run, 0.6)
    assert not run.state.stopped_early
    assert not judge(run, 0.5)
    assert (run.state.best_auroc, run.state.stopped_early) == (0.6, True)


def test_a_score_that_cannot_be_known_is_no_improvement(caplog: pytest.LogCaptureFixture) -> None:
    run = run_of(1)
    with caplog.at_level("INFO", "cxr_train"):
        assert not judge(run, float("nan"))
    assert run.state.stopped_early
    assert run.state.best_auroc is None


def test_without_patience_nothing_stops_early() -> None:
    run = run_of(0, best_auroc=0.6, validations_without_improvement=100)
    judge(run, 0.1)
    assert not run.state.stopped_early


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_wish_that_the_loop_reads(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with asked_to_stop() as asked:
            assert not asked.now
            os.kill(os.getpid(), number)
            assert asked.now
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with asked_to_stop() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked.now
    finally:
        signal.signal(signal.SIGHUP, before)
