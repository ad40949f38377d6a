"""The starts of a run, numbered, so that a late writer of an earlier one can harm nothing."""

from pathlib import Path

from trainer.errors import DataError


class Attempt:
    """This start of a run, numbered; a commit by an older one is refused.

    The number is claimed by creating its file exclusively, so two starts never share one.
    Raises DataError if the directory cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._claims = directory / "attempts"
        try:
            self._claims.mkdir(parents=True, exist_ok=True)
            self.number = self._newest() + 1
            while not self._claim():
                self.number += 1
        except OSError as error:
            raise unwritable(directory, error) from error

    def _newest(self) -> int:
        return max((int(claim.name) for claim in self._claims.iterdir() if claim.name.isdigit()), default=0)

    def _claim(self) -> bool:
        try:
            (self._claims / f"{self.number:06d}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def refuse_if_older(self) -> None:
        """Raises DataError if a newer attempt has started since."""
        newest = self._newest()
        if newest > self.number:
            raise DataError(
                "checkpoint.directory",
                str(self._claims.parent),
                f"belongs to attempt {newest}; this is attempt {self.number}",
                "let the newer one run, or give this run a directory of its own",
            )


def unwritable(directory: Path, error: Exception) -> DataError:
    """The error of a run's folder that cannot be written."""
    return DataError("checkpoint.directory", str(directory), f"cannot be written ({error})", "free or mount it")
