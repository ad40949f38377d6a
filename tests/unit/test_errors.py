"""Errors: one line each, and an exit code that tells whether a retry is worth it."""

import pickle

import pytest

from trainer.errors import ClusterError, CxrError, DataError, PeerLost, SelfTestError, Stopped, StoreDown, UsageError

PERMANENT = {CxrError: 1, UsageError: 2, DataError: 3, ClusterError: 4, SelfTestError: 5}
WORTH_A_RETRY = {Stopped: 143, PeerLost: 144, StoreDown: 145}


def test_an_error_reads_as_key_value_rule_cure() -> None:
    error = UsageError("train.epochs", 0, "is not allowed", "set it to 1 or more")
    assert str(error) == "train.epochs: 0 is not allowed; set it to 1 or more"


def test_a_value_with_line_breaks_still_gives_one_line() -> None:
    assert "\n" not in str(DataError("row 3", "a\nb", "is not a label", "correct it"))


@pytest.mark.parametrize(("kind", "code"), [*PERMANENT.items(), *WORTH_A_RETRY.items()])
def test_each_kind_keeps_its_exit_code(kind: type[CxrError], code: int) -> None:
    assert kind.exit_code == code


def test_every_kind_has_a_code_of_its_own() -> None:
    family = {kind for kind in CxrError.__subclasses__() if kind.__module__ == CxrError.__module__}
    assert family | {CxrError} == {*PERMANENT, *WORTH_A_RETRY}


def test_only_codes_from_128_are_worth_a_retry() -> None:
    assert all(0 < code < 128 for code in PERMANENT.values())
    assert all(128 <= code < 256 for code in WORTH_A_RETRY.values())


@pytest.mark.parametrize("kind", [*PERMANENT, *WORTH_A_RETRY])
def test_an_error_survives_the_way_between_processes(kind: type[CxrError]) -> None:
    sent = kind("film", "a.png", "is broken", "replace the file")
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - made one line above
    assert (type(received), str(received), received.cure) == (kind, str(sent), sent.cure)
