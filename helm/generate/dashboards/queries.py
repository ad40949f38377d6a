"""PromQL for the dashboards, made of the catalog's metrics: one that is renamed or dropped shows at once."""

from typing import Literal

from trainer.telemetry.catalog import (
    CHECKPOINT_STEP,
    FILMS,
    INPUT_WAIT_SECONDS,
    LAST_ALLREDUCE_WAIT_SECONDS,
    LAST_COMPUTE_SECONDS,
    STEP,
    STEP_SECONDS,
    STEPS,
    Metric,
)

JOB = "namespace, release, job_name"
"""What names a job."""

RANK = "namespace, release, job_name, pod, rank"
"""What names a rank of a job, and where it runs."""

WINDOW = "$__rate_interval"


class Selected:
    """Expressions over the jobs that a dashboard's variables select.

    Args:
        selector: label matchers, without the braces.
        window: a range, e.g. ``5m``.
    """

    def __init__(self, selector: str, window: str = WINDOW) -> None:
        self._selector, self._window = selector, window

    def of(self, metric: Metric, suffix: str = "") -> str:
        """The plain series; ``suffix`` picks a histogram's ``_sum``, ``_count`` or ``_bucket``."""
        return f"{metric.name}{suffix}{{{self._selector}}}"

    def rate(self, metric: Metric, suffix: str = "") -> str:
        """Growth a second over the window."""
        return f"rate({self.of(metric, suffix)}[{self._window}])"

    def rank_rate(self, metric: Metric) -> str:
        """By rank: growth a second."""
        return f"sum by ({RANK}) ({self.rate(metric)})"

    def grown(self, metric: Metric) -> str:
        """By job: what the window added, all ranks together."""
        return f"sum by ({JOB}) (increase({self.of(metric)}[{self._window}]))"

    def buckets(self, metric: Metric) -> str:
        """By upper bound: what the window counted into a histogram, all ranks together."""
        return f"sum by (le) (increase({self.of(metric, '_bucket')}[{self._window}]))"

    def job(self, metric: Metric) -> str:
        """One value a job. Of what all ranks know alike, or rank 0 alone; the newest where two pods served it."""
        return f"max by ({JOB}) ({self.of(metric)})"

    def input_seconds(self) -> str:
        """By rank: what a step waits for its films."""
        return f"sum by ({RANK}) ({self._input()})"

    def compute_seconds(self) -> str:
        """By rank: forward and backward, in the steps that were sampled."""
        return f"sum by ({RANK}) ({self._compute()})"

    def allreduce_seconds(self) -> str:
        """By rank: what a step waits for the averaged gradient, in the steps that were sampled."""
        return f"sum by ({RANK}) (avg_over_time({self.of(LAST_ALLREDUCE_WAIT_SECONDS)}[{self._window}]))"

    def step_seconds(self) -> str:
        """By rank: a whole step."""
        return f"sum by ({RANK}) ({self.rate(STEP_SECONDS, '_sum')} / {self.rate(STEP_SECONDS, '_count')})"

    def rest_seconds(self) -> str:
        """By rank: a step less what is known of it: the update, reading back, Python."""
        parts = [self.input_seconds(), self.compute_seconds(), self.allreduce_seconds()]
        return f"clamp_min({self.step_seconds()} - {' - '.join(parts)}, 0)"

    def phases(self) -> dict[str, str]:
        """By rank: what a step is made of, by name."""
        return {
            "compute": self.compute_seconds(),
            "allreduce wait": self.allreduce_seconds(),
            "input wait": self.input_seconds(),
            "rest": self.rest_seconds(),
        }

    def job_step_seconds(self) -> str:
        """By job: a step, averaged over the ranks."""
        return f"avg by ({JOB}) ({self.rate(STEP_SECONDS, '_sum')} / {self.rate(STEP_SECONDS, '_count')})"

    def films_per_second(self) -> str:
        """By job: films of all ranks in a second, pauses included."""
        return f"sum by ({JOB}) ({self.rate(FILMS)})"

    def films_per_step_second(self) -> str:
        """By job: films of all ranks in a second of steps, pauses between the steps left out."""
        return f"sum by ({JOB}) ({self.rate(FILMS)}) / avg by ({JOB}) ({self.rate(STEP_SECONDS, '_sum')})"

    def input_share(self) -> str:
        """By job: part of the step time spent waiting for films."""
        return f"sum by ({JOB}) ({self.rate(INPUT_WAIT_SECONDS)}) / sum by ({JOB}) ({self.rate(STEP_SECONDS, '_sum')})"

    def excess(self, cause: Literal["compute", "input"]) -> str:
        """By rank: what it takes for that beyond the faster ranks (their lower quartile), as a part of a step.

        The alert CxrTrainStraggler asks the same, over ten minutes.
        """
        seconds = self._compute() if cause == "compute" else self._input()
        faster = f"quantile by ({JOB}) (0.25, {seconds})"
        over = f"(sum by ({RANK}) ({seconds}) - on ({JOB}) group_left () {faster})"
        return f"{over} / on ({JOB}) group_left () {self.job_step_seconds()}"

    def progress(self) -> str:
        """By job: part of its steps that are done."""
        return f"{self.job(STEP)} / {self.job(STEPS)}"

    def seconds_left(self) -> str:
        """By job: what the steps that remain take at the present pace."""
        return f"({self.job(STEPS)} - {self.job(STEP)}) * {self.job_step_seconds()}"

    def steps_at_risk(self) -> str:
        """By job: steps since the last committed checkpoint."""
        return f"{self.job(STEP)} - {self.job(CHECKPOINT_STEP)}"

    def _input(self) -> str:
        return f"{self.rate(INPUT_WAIT_SECONDS)} / {self.rate(STEP_SECONDS, '_count')}"

    def _compute(self) -> str:
        return f"avg_over_time({self.of(LAST_COMPUTE_SECONDS)}[{self._window}])"
