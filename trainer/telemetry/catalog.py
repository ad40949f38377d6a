"""Every metric, once: what the recorder may write, the dashboards may query, and docs/metrics.md lists."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric, in Prometheus's naming: base units, ``_total`` for counters.

    Two metrics are never equal, so one hashes by identity: cheap where a step looks it up.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, in the metric's unit."""

    @property
    def per_rank(self) -> bool:
        """Each rank keeps its own; the others belong to the job and are kept by rank 0 alone."""
        return "rank" in self.labels


GAUGE_MODE: Final = "mostrecent"
"""How one value is made of several processes' gauges: the last written. The label rank tells ranks apart,
and a gauge that nobody has set is then not served at all, rather than as 0."""

_RANK = ("rank",)
_STEP_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

INPUT_WAIT_SECONDS = Metric(
    "cxr_train_input_wait_seconds_total", "counter", "Time in which a step waited for its films.", _RANK
)
STEP_SECONDS = Metric(
    "cxr_train_step_seconds",
    "histogram",
    "Time from one step's end to the next one's, input wait included.",
    _RANK,
    _STEP_BUCKETS,
)
SAMPLED_STEPS = Metric(
    "cxr_train_sampled_steps_total", "counter", "Steps whose phases were timed apart (one in a while).", _RANK
)
SAMPLED_COMPUTE_SECONDS = Metric(
    "cxr_train_sampled_compute_seconds_total", "counter", "Forward and backward time of the sampled steps.", _RANK
)
SAMPLED_ALLREDUCE_WAIT_SECONDS = Metric(
    "cxr_train_sampled_allreduce_wait_seconds_total",
    "counter",
    "Time in which the sampled steps waited for the averaged gradient.",
    _RANK,
)
LAST_COMPUTE_SECONDS = Metric(
    "cxr_train_last_compute_seconds", "gauge", "Forward and backward time of the last sampled step.", _RANK
)
LAST_ALLREDUCE_WAIT_SECONDS = Metric(
    "cxr_train_last_allreduce_wait_seconds",
    "gauge",
    "Time in which the last sampled step waited for the averaged gradient.",
    _RANK,
)
FILMS = Metric("cxr_train_films_total", "counter", "Films the rank has trained on.", _RANK)
LOSS = Metric("cxr_train_loss", "gauge", "Training loss of the last step that was read back.", _RANK)
LEARNING_RATE = Metric("cxr_train_learning_rate", "gauge", "Learning rate of the last step.", _RANK)
GRADIENT_NORM = Metric(
    "cxr_train_gradient_norm", "gauge", "Global norm of the averaged gradient, before clipping.", _RANK
)
SKIPPED_STEPS = Metric(
    "cxr_train_skipped_steps_total", "counter", "Steps skipped because the averaged gradient was not finite.", _RANK
)

CACHE_HITS = Metric("cxr_train_cache_hits_total", "counter", "Shards the rank found in the node's cache.", _RANK)
CACHE_MISSES = Metric(
    "cxr_train_cache_misses_total", "counter", "Shards the rank needed that were not in the node's cache.", _RANK
)
CACHE_FETCHED_BYTES = Metric(
    "cxr_train_cache_fetched_bytes_total", "counter", "Bytes of films the rank fetched from the store.", _RANK
)
CACHE_DIRECT_FILMS = Metric(
    "cxr_train_cache_direct_films_total",
    "counter",
    "Films read from the store one by one, because their shard was not there yet or had no room.",
    _RANK,
)
CACHE_CORRUPT = Metric(
    "cxr_train_cache_corrupt_total", "counter", "Files of the cache or answers of the store with a wrong hash.", _RANK
)
CACHE_EVICTIONS = Metric("cxr_train_cache_evictions_total", "counter", "Shards evicted to make room.", _RANK)
CACHE_FAILURES = Metric(
    "cxr_train_cache_failures_total", "counter", "Times the cache could not take a shard: full, or not writable.", _RANK
)
CACHE_WAIT_SECONDS = Metric(
    "cxr_train_cache_wait_seconds_total", "counter", "Time in which reading films waited for the store.", _RANK
)

EPOCH = Metric("cxr_train_epoch", "gauge", "Epoch in progress, from 1.")
STEP = Metric("cxr_train_step", "gauge", "Steps done, over all epochs and attempts.")
STEPS = Metric("cxr_train_steps", "gauge", "Steps the whole run takes.")
TRAINING = Metric("cxr_train_training", "gauge", "1 while the loop trains, 0 once it has ended.")
LAST_STEP_TIMESTAMP = Metric("cxr_train_last_step_timestamp_seconds", "gauge", "Unix time at the last step's end.")
LAST_PROGRESS_TIMESTAMP = Metric(
    "cxr_train_last_progress_timestamp_seconds",
    "gauge",
    "Unix time at the end of the last step or batch of validation, or at the start of training.",
)
VALIDATION_LOSS = Metric("cxr_train_validation_loss", "gauge", "Mean loss of the last validation.")
VALIDATION_AUROC = Metric("cxr_train_validation_auroc", "gauge", "AUROC of a class at the last validation.", ("class",))
VALIDATION_AUROC_MEAN = Metric(
    "cxr_train_validation_auroc_mean", "gauge", "Mean AUROC over the findings at the last validation."
)
CHECKPOINT_TIMESTAMP = Metric(
    "cxr_train_checkpoint_last_success_timestamp_seconds", "gauge", "Unix time at the last checkpoint's commit."
)
CHECKPOINT_STEP = Metric(
    "cxr_train_checkpoint_step", "gauge", "Step of the last committed checkpoint, 0 before the first."
)
CHECKPOINT_INTERVAL_STEPS = Metric(
    "cxr_train_checkpoint_interval_steps", "gauge", "Steps between two checkpoints, as configured."
)
CHECKPOINT_SECONDS = Metric(
    "cxr_train_checkpoint_seconds", "gauge", "Time from the last checkpoint's start to its commit."
)
CHECKPOINT_BYTES = Metric("cxr_train_checkpoint_bytes", "gauge", "Size of the last checkpoint.")
CHECKPOINT_FAILURES = Metric(
    "cxr_train_checkpoint_failures_total",
    "counter",
    "Times a checkpoint could not be committed; a store that is down is asked again.",
)
CHECKPOINTS_PENDING = Metric(
    "cxr_train_checkpoints_pending", "gauge", "Checkpoints that are taken and not committed yet."
)
TRACKER_FAILURES = Metric(
    "cxr_train_tracker_failures_total",
    "counter",
    "Times TensorBoard's files or MLflow did not take what they were told; they are asked again.",
)
TRACKER_ROWS_PENDING = Metric(
    "cxr_train_tracker_rows_pending", "gauge", "Rows of the history that a tracker is still to be told."
)
RESTARTS = Metric("cxr_train_restarts_total", "counter", "Attempts before this one.")
WORLD_SIZE_WANTED = Metric("cxr_train_world_size_wanted", "gauge", "Ranks the job asked for.")
WORLD_SIZE = Metric("cxr_train_world_size", "gauge", "Ranks the job has.")

METRICS: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))


def markdown() -> str:
    """The text of docs/metrics.md."""
    ranks = [_row(each) for each in METRICS if each.per_rank]
    job = [_row(each) for each in METRICS if not each.per_rank]
    head = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    return "\n".join([*_INTRODUCTION, "## Of each rank", "", *head, *ranks, "", "## Of the job", "", *head, *job, ""])


_INTRODUCTION = (
    "# Metrics",
    "",
    "What a run tells Prometheus. Generated from `trainer/telemetry/catalog.py`; do not edit, run",
    "`python -c 'from trainer.telemetry.catalog import markdown; print(markdown(), end=\"\")' > docs/metrics.md`.",
    "",
    "`telemetry.port` turns them on. Metrics of the job are written by rank 0 alone, so a sum over pods counts",
    "them once. A rank's counters start at 0 with each attempt.",
    "",
)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{each}`" for each in metric.labels) or "-"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
