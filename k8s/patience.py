"""Questions to an API server that may be away for a while."""

import logging
from collections.abc import Callable
from typing import TypeVar

from trainer.errors import ClusterError

log = logging.getLogger("cxr_train")

Answer = TypeVar("Answer")

_REFUSALS = (401, 403, 404)


def patiently(ask: Callable[[], Answer], too_late: Callable[[], bool], pause: Callable[[], None]) -> Answer:
    """The answer: a server that is away is no reason for a job to fail. A refusal is, and raises ClusterError at once.

    ``pause`` comes between two questions, and ends them all if it raises.
    """
    while True:
        try:
            return ask()
        except ClusterError as error:
            if error.value in _REFUSALS or too_late():
                raise
            log.warning("%s", error)
        pause()
