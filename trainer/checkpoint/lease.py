"""Renews an attempt's claim in the background, and hears of a newer attempt before the next checkpoint would."""

import threading

from trainer.checkpoint.attempt import Attempt
from trainer.errors import CxrError, StoreDown

_RENEWALS_A_LEASE = 3


class Lease:
    """Gives signs of life from when it is made until it is ended."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._over = threading.Event()
        self.lost: CxrError | None = None
        """Why this attempt may no longer write."""
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the claim, unless it is lost; a store that is down finds out by its silence. Raises CxrError."""
        self._over.set()
        self._thread.join()
        if self.lost is None:
            self._attempt.end()

    def _renew(self) -> None:
        while not self._over.wait(self._attempt.lease_seconds / _RENEWALS_A_LEASE):
            try:
                self._attempt.renew()
            except StoreDown:
                # Told by whoever writes a checkpoint; nobody can take the run over from a store that is down.
                continue
            except CxrError as error:
                self.lost = error
                return
