"""What a process says, heard line by line as it comes: tests wait for a line instead of a while."""

import re
import threading
from typing import IO


class Heard:
    """Lines of a stream, collected by a thread until the stream ends.

    Args:
        stream: text, closed at its end.
        patience_seconds: longest wait for a line: bounds a failure, on however busy a machine.
    """

    def __init__(self, stream: IO[str], patience_seconds: float) -> None:
        self.lines: list[str] = []
        self._patience_seconds = patience_seconds
        self._changed = threading.Condition()
        self._silent = False
        self._listener = threading.Thread(target=self._listen, args=(stream,))
        self._listener.start()

    @property
    def said(self) -> str:
        """All of it so far."""
        return "\n".join(self.lines)

    def hears(self, pattern: str, *, after: int = 0) -> str:
        """Waits for a line, not among the first ``after``, in which the pattern is found."""

        def found() -> str | None:
            return next((line for line in self.lines[after:] if re.search(pattern, line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._silent, self._patience_seconds)
            line = found()
        assert line, f"never said {pattern!r}:\n" + "\n".join(self.lines[-60:])
        return line

    def to_the_end(self) -> str:
        """All of it, once the stream has ended."""
        self._listener.join(self._patience_seconds)
        return self.said

    def _listen(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._silent = True
            self._changed.notify_all()
