"""What every rank settles before it computes: cores, threads, precision, determinism, and its place among the ranks."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from trainer import collectives
from trainer.collectives import Collectives
from trainer.config import Config
from trainer.errors import UsageError
from trainer.topology import Topology, own_cores

Precision = Literal["float32", "bfloat16", "float64"]

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float64": "float64"}
_BFLOAT16_COMPUTE_CAPABILITY = (8, 0)


def start(config: Config, topology: Topology, *, precision: Precision | None = None) -> Collectives:
    """Sets up the process and joins the other ranks. To be called once, before TensorFlow does any work.

    Args:
        config: the whole tree.
        topology: this process's place.
        precision: overrides ``train.precision``; scoring is always float32.

    Raises UsageError if ``train.device`` asks for a GPU that TensorFlow does not see.
    """
    on_gpu = _use_own_gpu(config, topology)
    _use_own_cores(config, topology)
    os.environ.update(collectives.horovod_environment(config.train.deterministic, on_gpu, os.environ))
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.train.seed)
    keras.config.set_dtype_policy(_POLICIES[precision or resolve_precision(config)])
    keras.config.disable_traceback_filtering()
    return collectives.start(topology, config.collectives)


def resolve_precision(config: Config) -> Precision:
    """``train.precision``, with ``auto`` settled by what the machine computes in."""
    if config.train.precision != "auto":
        return config.train.precision
    return "bfloat16" if _computes_in_bfloat16() else "float32"


def environment(config: Config, topology: Topology) -> dict[str, str]:
    """What a run computes with, by name, for whoever reads of it later. To be called once it has started."""
    versions = {name: version(name) for name in ("keras", "horovod", "numpy")}
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        **versions,
        "device": _device(),
        "precision": resolve_precision(config),
        "ranks": str(topology.world_size),
    }


def _device() -> str:
    """The name of the GPU, else of the processor, as the system tells it."""
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _use_own_gpu(config: Config, topology: Topology) -> bool:
    gpus = tf.config.list_physical_devices("GPU")
    if config.train.device == "gpu" and not gpus:
        raise _no_gpu()
    if config.train.device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return False
    own = gpus[topology.local_rank % len(gpus)]
    tf.config.set_visible_devices(own, "GPU")
    tf.config.experimental.set_memory_growth(own, True)
    return True


def _no_gpu() -> UsageError:
    if tf.test.is_built_with_cuda():
        rule = "but this process sees no GPU"
        cure = "look at nvidia-smi and the driver where it runs, or set train.device=cpu"
    else:
        rule = "but this TensorFlow is built for CPUs"
        cure = "install the extra gpu (of images, build and use the target gpu), or set train.device=cpu"
    return UsageError("train.device", "gpu", rule, cure)


def _use_own_cores(config: Config, topology: Topology) -> None:
    """Pins the rank; TensorFlow and oneDNN then take as many threads as it has cores."""
    cores = own_cores(topology, sorted(os.sched_getaffinity(0)), os.environ)
    os.sched_setaffinity(0, cores)
    tf.config.threading.set_intra_op_parallelism_threads(len(cores))
    tf.config.threading.set_inter_op_parallelism_threads(1 if config.train.deterministic else min(2, len(cores)))


def _computes_in_bfloat16() -> bool:
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return bool(capability >= _BFLOAT16_COMPUTE_CAPABILITY)
    return gains_by_bfloat16(Path("/proc/cpuinfo").read_text(encoding="utf-8"))


def gains_by_bfloat16(cpuinfo: str) -> bool:
    """Whether a processor, as /proc/cpuinfo has it, is faster in bfloat16 than in float32 (docs/results.md).

    With its matrix units (AMX), or with AMD's vector units; Intel's vector units alone are slower.
    """
    words = set(cpuinfo.split())
    return "amx_bf16" in words or {"avx512_bf16", "AuthenticAMD"} <= words
