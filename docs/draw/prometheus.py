"""Asks a Prometheus over its HTTP API."""

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Series:
    """One series of an answer: its labels, Unix times and values."""

    labels: dict[str, str]
    times: list[float]
    values: list[float]


@dataclass(frozen=True)
class Prometheus:
    """A server at ``url``, e.g. http://127.0.0.1:9090. What it refuses is raised as urllib's HTTPError."""

    url: str

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """The expression over time, every ``step`` seconds."""
        answer = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [_series(each["metric"], each["values"]) for each in answer]

    def at(self, expression: str, time: float) -> list[Series]:
        """The expression at one time."""
        answer = self._ask("query", query=expression, time=time)
        return [_series(each["metric"], [each["value"]]) for each in answer]

    def _ask(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the caller's own server
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def _series(labels: dict[str, str], pairs: list[tuple[float, str]]) -> Series:
    return Series(labels, [float(time) for time, _ in pairs], [float(value) for _, value in pairs])
