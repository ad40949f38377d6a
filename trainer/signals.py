"""What asks a run to stop: signals, kept as a wish that the loop reads once a step."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trainer.errors import Stopped

_LOOK_SECONDS = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked:
    """Whether this process has been asked to stop; read once a step."""

    now = False

    def pause(self, seconds: float) -> None:
        """Waits; raises Stopped once this process is asked to stop, so that what waits has to save nothing."""
        until = time.monotonic() + seconds
        while not self.now and time.monotonic() < until:
            time.sleep(min(seconds, _LOOK_SECONDS))
        if self.now:
            raise Stopped("signal", "nothing", "was trained yet when it came", "start again to go on")


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
