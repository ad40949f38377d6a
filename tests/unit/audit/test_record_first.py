"""A checkpoint comes after the record of its films: without it there is none, and training goes on."""

from types import SimpleNamespace
from typing import Any

import pytest

from trainer.collectives import SingleRank
from trainer.errors import StoreDown
from trainer.saving import save


class Heard:
    """Keeps what is called of it, in order; ``answers`` are given back."""

    def __init__(self, calls: list[str], **answers: Any) -> None:
        self._calls, self._answers = calls, answers

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any, **given: Any) -> Any:
            self._calls.append(f"{name} {given}" if given else name)
            return self._answers.get(name)

        return call


def run_of(calls: list[str], *, recorded: bool) -> Any:
    return SimpleNamespace(
        ledger=Heard(calls, write=recorded),
        ranks=SingleRank(),
        state=SimpleNamespace(step=7),
        store=SimpleNamespace(where="s3://runs/a"),
        writer=Heard(calls),
        lease=None,
        snapshot=lambda: SimpleNamespace(model={}),
        refuse_unequal_weights=lambda _: None,
    )


def monitor_of(calls: list[str]) -> Any:
    heard = Heard(calls)
    heard.pulse, heard.course = Heard([]), heard  # type: ignore[attr-defined]
    return heard


def test_the_films_are_on_record_before_the_checkpoint_is_begun() -> None:
    calls: list[str] = []
    save(run_of(calls, recorded=True), monitor_of(calls))
    assert calls == ["write {'patient': False}", "content", "save"]


def test_without_a_record_there_is_no_checkpoint_and_it_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    save(run_of(calls, recorded=False), monitor_of(calls), patient=True)
    assert calls == ["write {'patient': True}", "checkpoints"]
    assert "no checkpoint of step 7: data.audit: 's3://runs/a' takes no record of films" in caplog.text


def test_a_run_does_not_end_without_the_record_of_its_last_films() -> None:
    calls: list[str] = []
    with pytest.raises(StoreDown, match=r"data\.audit: 's3://runs/a' takes no record of films; start again"):
        save(run_of(calls, recorded=False), monitor_of(calls), last=True)
    assert calls == ["write {'patient': True}", "checkpoints"]
