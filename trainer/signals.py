"""What asks a run to stop: signals, kept as a wish that the loop reads once a step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked:
    """Whether this process has been asked to stop; read once a step."""

    now = False


@contextmanager
def asked_to_stop() -> Iterator[Asked]:
    """SIGTERM, SIGINT and a closed terminal ask for a stop after the step in hand, instead of ending the process."""
    asked = Asked()

    def ask(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's form
        asked.now = True

    # What nohup has told to be ignored stays so.
    numbers = [each for each in _STOP_SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
