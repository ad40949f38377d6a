"""A pod's memory limit and its processes killed for want of memory, from its control group of either version."""

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class Memory:
    """The memory of this container.

    Args:
        root: where the control groups are mounted.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._events = root / "memory.events"
        self._limit = root / "memory.max"
        if not self._events.exists():
            self._events = root / "memory" / "memory.oom_control"
            self._limit = root / "memory" / "memory.limit_in_bytes"
        self._seen = self.kills()

    def kills(self) -> int:
        """Processes killed for want of memory since the container started; 0 where nobody counts."""
        for line in _lines(self._events):
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
        return 0

    def new_kills(self) -> int:
        """Those since the last call."""
        now = self.kills()
        new, self._seen = now - self._seen, now
        return new

    def limit_bytes(self) -> int | None:
        """None where there is no limit."""
        text = next(iter(_lines(self._limit)), "max")
        # Version 1 writes the largest multiple of a page that a long holds.
        return int(text) if text.isdigit() and int(text) < 1 << 62 else None

    def limit(self) -> str:
        """The limit in words."""
        limit = self.limit_bytes()
        return f"its limit of {limit / 2**30:.2f} GiB" if limit else "the node's memory"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
