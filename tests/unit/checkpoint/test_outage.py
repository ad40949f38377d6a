"""An outage: the store is asked ever more seldom, but never less than twice a minute."""

from itertools import accumulate, repeat

from trainer.checkpoint.outage import Outage


def test_waits_double_up_to_the_longest_and_the_beginning_is_remembered() -> None:
    outages = list(accumulate(repeat(None, 7), lambda one, _: one.goes_on(one.again_at), initial=Outage.begins(100.0)))
    assert [each.wait_seconds for each in outages] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert {each.began for each in outages} == {100.0}
    assert [each.again_at for each in outages[:3]] == [101.0, 103.0, 107.0]
