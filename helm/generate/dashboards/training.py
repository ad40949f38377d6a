"""The dashboard "training": one job, from its loss to which rank makes the others wait."""

from grafana_foundation_sdk.builders import dashboard

from helm.generate.dashboards.frame import framed, label_variable, with_sections
from helm.generate.dashboards.panels import GREEN, ORANGE, RED, Panel, Query, bars, curves, heat, limits, number, rows
from helm.generate.dashboards.queries import JOB, Selected
from trainer.telemetry import catalog

_CHOSEN = 'namespace="$namespace", release="$release", job_name="$job"'
JOBS = Selected(_CHOSEN)

# For single numbers: phases are sampled in few steps, and a number that jumps says little.
NOW = Selected(_CHOSEN, window="5m")


def training() -> dashboard.Dashboard:
    """Rows from the outcome down to its causes."""
    board = framed(
        "cxr-train-training",
        "cxr-train / training",
        "One training job: does it learn, how fast is it, which rank slows it down and why, what would a restart cost.",
        since="1h",
    )
    board.with_variable(label_variable("namespace", "namespace", "", several=False))
    board.with_variable(label_variable("release", "release", 'namespace="$namespace"', several=False))
    board.with_variable(label_variable("job", "job_name", 'namespace="$namespace", release="$release"', several=False))
    sections = (
        ("Now", _now()),
        ("Does it learn?", _learning()),
        ("How fast is it?", _speed()),
        ("Where does a step's time go, and which rank is slow?", _ranks()),
        ("Do films come from the store in time?", _store()),
        ("Checkpoints, restarts, ranks", _safety()),
    )
    return with_sections(board, sections)


def _now() -> list[Panel]:
    lost = f"({NOW.steps_at_risk()}) * {NOW.job_step_seconds()}"
    missing = f"{NOW.job(catalog.WORLD_SIZE_WANTED)} - {NOW.job(catalog.WORLD_SIZE)}"
    return [
        number("Done", "Part of the job's steps that are done.", "percentunit", Query(NOW.progress()), decimals=0),
        number("Time left", "What the remaining steps take at the present pace.", "s", Query(NOW.seconds_left())),
        number(
            "Speed",
            "Films of all ranks in a second of steps; pauses for validation and checkpoints are left out.",
            "suffix: films/s",
            Query(NOW.films_per_step_second()),
            decimals=0,
        ),
        number(
            "Mean AUROC",
            "Mean over the findings at the last validation; 0.5 is chance.",
            "none",
            Query(NOW.job(catalog.VALIDATION_AUROC_MEAN)),
            decimals=3,
        ),
        number(
            "Waiting for films",
            "Part of the ranks' step time spent waiting for input.",
            "percentunit",
            Query(NOW.input_share()),
            decimals=0,
            thresholds=limits((None, GREEN), (0.1, ORANGE), (0.2, RED)),
        ),
        number(
            "At risk",
            "Training time that would be done again if the job were restarted now: since the last checkpoint.",
            "s",
            Query(lost),
            thresholds=limits((None, GREEN), (1800, ORANGE), (3600, RED)),
        ),
        number(
            "Starts before this one",
            "Attempts in this run's folder before the present one.",
            "none",
            Query(NOW.job(catalog.RESTARTS)),
            decimals=0,
            thresholds=limits((None, GREEN), (1, ORANGE), (3, RED)),
        ),
        number(
            "Ranks missing",
            "Ranks asked for that the job does without.",
            "none",
            Query(missing),
            decimals=0,
            thresholds=limits((None, GREEN), (1, ORANGE)),
        ),
    ]


def _learning() -> list[Panel]:
    by_class = f"max by (class) ({JOBS.of(catalog.VALIDATION_AUROC)})"
    return [
        curves(
            "Loss",
            "Training loss of the steps as scraped, and the mean loss of each validation.",
            "none",
            Query(JOBS.job(catalog.LOSS), "training"),
            Query(JOBS.job(catalog.VALIDATION_LOSS), "validation"),
        ),
        curves(
            "Validation AUROC",
            "Mean over the findings, and each class, as of the last validation.",
            "none",
            Query(JOBS.job(catalog.VALIDATION_AUROC_MEAN), "mean"),
            Query(by_class, "{{class}}"),
            ceiling=1.0,
            steps=True,
        ),
        curves(
            "Learning rate",
            "Of the last step.",
            "sci",
            Query(JOBS.job(catalog.LEARNING_RATE), "learning rate"),
            width=8,
            floor=0,
        ),
        curves(
            "Gradient norm",
            "Global norm of the averaged gradient, before clipping. A jump often comes before a bad loss.",
            "none",
            Query(JOBS.job(catalog.GRADIENT_NORM), "gradient norm"),
            width=8,
            floor=0,
        ),
        curves(
            "Skipped steps",
            "Steps of this attempt without an update, because loss or averaged gradient was not finite.",
            "none",
            Query(JOBS.job(catalog.SKIPPED_STEPS), "skipped"),
            width=8,
            floor=0,
            steps=True,
        ),
    ]


def _speed() -> list[Panel]:
    return [
        curves(
            "Films a second",
            "All ranks together. The gap between the two is pauses: validation, checkpoints, starting.",
            "suffix: films/s",
            Query(JOBS.films_per_step_second(), "while stepping"),
            Query(JOBS.films_per_second(), "all in all"),
            floor=0,
        ),
        heat(
            "Step times of all ranks",
            "How many steps took how long. Rare long steps above a band of short ones are first steps and traces.",
            "s",
            Query(JOBS.buckets(catalog.STEP_SECONDS), "{{le}}"),
        ),
    ]


def _ranks() -> list[Panel]:
    averaged = [Query(f"avg by ({JOB}) ({expression})", name) for name, expression in JOBS.phases().items()]
    slow = limits((None, GREEN), (0.1, ORANGE), (0.2, RED))
    return [
        bars(
            "A step by rank, now",
            "Seconds of a step. All end a step together: the slow rank is the one that waits least for the allreduce.",
            "s",
            "rank",
            NOW.phases(),
        ),
        curves(
            "A step over time",
            "Seconds of a step, averaged over the ranks. Compute and allreduce are from sampled steps.",
            "s",
            *averaged,
            stacked=True,
            floor=0,
        ),
        curves(
            "What a rank costs the others",
            "What its compute or input takes beyond the faster ranks' (lower quartile), as a part of a step. "
            "Above the line for ten minutes, the alert CxrTrainStraggler names the rank and the cause.",
            "percentunit",
            Query(JOBS.excess("compute"), "rank {{rank}} compute"),
            Query(JOBS.excess("input"), "rank {{rank}} input"),
            warn_above=0.2,
        ),
        rows(
            "Ranks",
            "Seconds of a step by rank, and what the rank costs the others by its compute or its input.",
            ["pod", "rank"],
            {
                "step": (NOW.step_seconds(), "s"),
                "compute": (NOW.compute_seconds(), "s"),
                "allreduce wait": (NOW.allreduce_seconds(), "s"),
                "input wait": (NOW.input_seconds(), "s"),
                "costs by compute": (NOW.excess("compute"), "percentunit"),
                "costs by input": (NOW.excess("input"), "percentunit"),
            },
            width=12,
            warn={"costs by compute": slow, "costs by input": slow},
        ),
    ]


def _store() -> list[Panel]:
    return [
        curves(
            "Fetched from the store",
            "Bytes of films a second, by rank. Nothing, where the films lie in a folder or the cache holds them all.",
            "Bps",
            Query(JOBS.rank_rate(catalog.CACHE_FETCHED_BYTES), "rank {{rank}}"),
            width=8,
            floor=0,
        ),
        curves(
            "Waiting for the store",
            "Part of its time that a rank's reader waits for the store. Read ahead, it need not hold up a step.",
            "percentunit",
            Query(JOBS.rank_rate(catalog.CACHE_WAIT_SECONDS), "rank {{rank}}"),
            width=8,
            floor=0,
        ),
        curves(
            "Films read one by one",
            "Films a second whose shard was not in the cache yet, or found no room: many only while the cache fills.",
            "suffix: films/s",
            Query(JOBS.rank_rate(catalog.CACHE_DIRECT_FILMS), "rank {{rank}}"),
            width=8,
            floor=0,
        ),
        curves(
            "Shards needed",
            "Found in the node's cache or not, all ranks together.",
            "none",
            Query(JOBS.grown(catalog.CACHE_HITS), "in the cache"),
            Query(JOBS.grown(catalog.CACHE_MISSES), "not in the cache"),
            floor=0,
        ),
        curves(
            "Trouble in the cache",
            "Shards evicted to make room, shards that found none; files or answers with wrong bytes.",
            "none",
            Query(JOBS.grown(catalog.CACHE_EVICTIONS), "evicted"),
            Query(JOBS.grown(catalog.CACHE_FAILURES), "not taken"),
            Query(JOBS.grown(catalog.CACHE_CORRUPT), "wrong bytes"),
            floor=0,
        ),
    ]


def _safety() -> list[Panel]:
    return [
        curves(
            "Steps since the last checkpoint",
            "What a restart would do again. A healthy job saws between 0 and its interval.",
            "none",
            Query(JOBS.steps_at_risk(), "since the last one"),
            Query(JOBS.job(catalog.CHECKPOINT_INTERVAL_STEPS), "interval"),
            width=8,
            floor=0,
        ),
        curves(
            "Writing a checkpoint",
            "From its start to its commit, in the background of training.",
            "s",
            Query(JOBS.job(catalog.CHECKPOINT_SECONDS), "seconds"),
            width=4,
            floor=0,
            steps=True,
        ),
        curves(
            "Size of a checkpoint",
            "Weights and optimizer state.",
            "bytes",
            Query(JOBS.job(catalog.CHECKPOINT_BYTES), "size"),
            width=4,
            floor=0,
            steps=True,
        ),
        curves(
            "Ranks, restarts, failed checkpoints",
            "Ranks wanted and had; attempts before this one; checkpoints that failed, and that wait.",
            "none",
            Query(JOBS.job(catalog.WORLD_SIZE_WANTED), "ranks wanted"),
            Query(JOBS.job(catalog.WORLD_SIZE), "ranks"),
            Query(JOBS.job(catalog.RESTARTS), "restarts"),
            Query(JOBS.job(catalog.CHECKPOINT_FAILURES), "failed checkpoints"),
            Query(JOBS.job(catalog.CHECKPOINTS_PENDING), "waiting checkpoints"),
            width=8,
            floor=0,
            steps=True,
        ),
    ]
