"""The dashboard "fleet": all training jobs of the cluster side by side, and the GPUs under them."""

from grafana_foundation_sdk.builders import dashboard

from helm.generate.dashboards.frame import framed, label_variable, with_sections
from helm.generate.dashboards.panels import (
    GREEN,
    ORANGE,
    RED,
    Panel,
    Query,
    curves,
    limits,
    number,
    rows,
    states,
    words,
)
from helm.generate.dashboards.queries import JOB, Selected
from trainer.telemetry import catalog

CHOSEN = 'namespace=~"$namespace", release=~"$release"'
JOBS = Selected(CHOSEN)

# Every launcher is a Job, <training job>-launcher: kube-state-metrics knows its end when the pods' series are gone.
LAUNCHERS = 'namespace=~"$namespace", job_name=~".+-[0-9a-f]{8}-launcher"'

_DETAIL = "/d/cxr-train-training?var-namespace=${__data.fields.namespace}&var-release=${__data.fields.release}"


def fleet() -> dashboard.Dashboard:
    """Rows from the whole down to single GPUs."""
    board = framed(
        "cxr-train-fleet",
        "cxr-train / fleet",
        "All training jobs: which run, how far and how fast, which failed, and what their GPUs do.",
        since="6h",
    )
    board.with_variable(label_variable("namespace", "namespace", "", several=True))
    board.with_variable(label_variable("release", "release", 'namespace=~"$namespace"', several=True))
    sections = (
        ("All jobs", [*_totals(), _table()]),
        ("Over time", _courses()),
        ("Launchers, by kube-state-metrics", [_launchers()]),
        ("GPUs, by the DCGM exporter", _gpus()),
    )
    return with_sections(board, sections)


def _totals() -> list[Panel]:
    failed = _count(f'kube_job_failed{{{LAUNCHERS}, condition="true"}} == 1')
    return [
        number(
            "Jobs training",
            "Jobs whose loop runs now.",
            "none",
            Query(_count(f"{JOBS.job(catalog.TRAINING)} == 1")),
            width=4,
        ),
        number("Ranks", "Ranks of all jobs.", "none", Query(f"sum({JOBS.job(catalog.WORLD_SIZE)})"), width=4),
        number(
            "Speed",
            "Films a second of all jobs together, pauses included.",
            "suffix: films/s",
            Query(f"sum({JOBS.films_per_second()})"),
            width=4,
            decimals=0,
        ),
        number(
            "Jobs that wait for films",
            "Jobs that spend more than a fifth of their step time waiting for input.",
            "none",
            Query(_count(f"{JOBS.input_share()} > 0.2")),
            width=4,
            thresholds=limits((None, GREEN), (1, ORANGE)),
        ),
        number(
            "Jobs with too few ranks",
            "Jobs that train with fewer ranks than they asked for.",
            "none",
            Query(_count(f"{JOBS.job(catalog.WORLD_SIZE)} < {JOBS.job(catalog.WORLD_SIZE_WANTED)}")),
            width=4,
            thresholds=limits((None, GREEN), (1, ORANGE)),
        ),
        number(
            "Jobs failed",
            "Launcher Jobs that have given up and are still there.",
            "none",
            Query(failed),
            width=4,
            thresholds=limits((None, GREEN), (1, RED)),
        ),
    ]


def _count(series: str) -> str:
    """How many there are, 0 if none."""
    return f"count({series}) or vector(0)"


def _table() -> Panel:
    columns = {
        "state": (JOBS.job(catalog.TRAINING), "none"),
        "done": (JOBS.progress(), "percentunit"),
        "time left": (JOBS.seconds_left(), "s"),
        "films/s": (JOBS.films_per_step_second(), "none"),
        "loss": (JOBS.job(catalog.LOSS), "none"),
        "AUROC": (JOBS.job(catalog.VALIDATION_AUROC_MEAN), "none"),
        "input wait": (JOBS.input_share(), "percentunit"),
        "at risk": (f"({JOBS.steps_at_risk()}) * {JOBS.job_step_seconds()}", "s"),
        "ranks": (JOBS.job(catalog.WORLD_SIZE), "none"),
        "restarts": (JOBS.job(catalog.RESTARTS), "none"),
    }
    return rows(
        "Jobs",
        "A row a job whose pods are scraped; its name leads to its dashboard. What is over is below.",
        JOB.split(", "),
        columns,
        height=9,
        warn={
            "input wait": limits((None, GREEN), (0.1, ORANGE), (0.2, RED)),
            "at risk": limits((None, GREEN), (1800, ORANGE), (3600, RED)),
            "restarts": limits((None, GREEN), (1, ORANGE), (3, RED)),
        },
        mappings={"state": words(_1=("training", GREEN), _0=("ended", "blue"))},
        links={"job_name": f"{_DETAIL}&var-job=${{__data.fields.job_name}}"},
    )


def _courses() -> list[Panel]:
    name = "{{namespace}}/{{job_name}}"
    return [
        curves(
            "Done", "Part of each job's steps that are done.", "percentunit", Query(JOBS.progress(), name), ceiling=1.0
        ),
        curves(
            "Films a second",
            "Each job's ranks together, in its steps alone.",
            "suffix: films/s",
            Query(JOBS.films_per_step_second(), name),
            floor=0,
        ),
        curves("Loss", "Training loss of each job.", "none", Query(JOBS.job(catalog.LOSS), name)),
        curves(
            "Waiting for films",
            "Part of each job's step time. Above the line for ten minutes, the alert CxrTrainInputBound fires.",
            "percentunit",
            Query(JOBS.input_share(), name),
            floor=0,
            warn_above=0.2,
        ),
    ]


def _launchers() -> Panel:
    def jobs(series: str, value: int) -> str:
        return f"max by (namespace, job_name) ({series}) * 0 + {value}"

    failed = jobs(f'kube_job_failed{{{LAUNCHERS}, condition="true"}} == 1', 3)
    succeeded = jobs(f"kube_job_status_succeeded{{{LAUNCHERS}}} > 0", 2)
    active = jobs(f"kube_job_status_active{{{LAUNCHERS}}} > 0", 1)
    return states(
        "Launchers",
        "What became of each launcher's Job. One that is tried again is running, and failed only once given up.",
        Query(f"{failed} or {succeeded} or {active}", "{{namespace}}/{{job_name}}"),
        words(_1=("running", "blue"), _2=("succeeded", GREEN), _3=("failed", RED)),
    )


def _gpus() -> list[Panel]:
    name = "{{job_name}} {{pod}} GPU {{gpu}}"
    return [
        curves(
            "Busy",
            "Part of the time in which a kernel ran. Low beside a high input wait: the job is input-bound.",
            "percent",
            Query(_on_jobs("DCGM_FI_DEV_GPU_UTIL"), name),
            floor=0,
            ceiling=1.000,
        ),
        curves(
            "Tensor cores active",
            "Part of the cycles in which they worked. Near nothing: the model does not run in bfloat16.",
            "percentunit",
            Query(_on_jobs("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), name),
            floor=0,
        ),
        curves("Memory used", "Frame buffer in use.", "mbytes", Query(_on_jobs("DCGM_FI_DEV_FB_USED"), name), floor=0),
        curves("Power", "Drawn by the board.", "watt", Query(_on_jobs("DCGM_FI_DEV_POWER_USAGE"), name), floor=0),
        curves(
            "Temperature",
            "Of the GPU. A rank whose GPU is hot and slow is throttled.",
            "celsius",
            Query(_on_jobs("DCGM_FI_DEV_GPU_TEMP"), name),
            width=8,
        ),
        curves(
            "SM clock",
            "One GPU below the others under the same load is throttled, and its rank is the straggler.",
            "rotmhz",
            Query(_on_jobs("DCGM_FI_DEV_SM_CLOCK"), name),
            width=8,
            floor=0,
        ),
        curves(
            "Last XID error",
            "NVIDIA's number of the GPU's last error, 0 for none.",
            "none",
            Query(_on_jobs("DCGM_FI_DEV_XID_ERRORS"), name),
            width=8,
            floor=0,
            steps=True,
        ),
    ]


def _on_jobs(series: str) -> str:
    """A DCGM series of the pods that train, with their job. Some scrapes leave the pod in ``exported_pod``."""
    at_home = f'label_replace({series}, "pod", "$1", "exported_pod", "(.+)")'
    at_home = f'label_replace({at_home}, "namespace", "$1", "exported_namespace", "(.+)")'
    pods = f"max by ({JOB}, pod) ({JOBS.of(catalog.FILMS)} * 0 + 1)"
    return f"max by (namespace, pod, gpu) ({at_home}) * on (namespace, pod) group_left (release, job_name) {pods}"
