"""Which variables of a pod reach its ranks, and which reach mpirun: by allow-list. Pure.

HOSTNAME, the Services' addresses and what ssh and the operator set describe one process's place; in another they lie.
"""

from collections.abc import Mapping

PASS_VARIABLE = "CXR_TRAIN_PASS"  # noqa: S105 - no password
"""Names a user adds to the list, separated by commas; the chart sets it to the names in ``extraEnv``."""

_PREFIXES = (
    "AWS_",
    "AZURE_",
    "CUDA_",
    "CXR_TRAIN_",
    "FI_",
    "GCLOUD_",
    "GCP_",
    "GLOO_",
    "GOMP_",
    "GOOGLE_",
    "HOROVOD_",
    "KERAS_",
    "KMP_",
    "LC_",
    "MALLOC_",
    "MKL_",
    "MLFLOW_",
    "NCCL_",
    "NVIDIA_",
    "OMP_",
    "ONEDNN_",
    "PYTHON",
    "SSL_CERT_",
    "TF_",
    "UCX_",
    "XDG_",
    "XLA_",
)
_NAMES = {
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MPLCONFIGDIR",
    "NO_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "TMPDIR",
    "TZ",
    "http_proxy",
    "https_proxy",
    "no_proxy",
}
_OPERATORS_OWN = {
    # The operator's hostfile would hide the hosts that the command line gives.
    "OMPI_MCA_orte_default_hostfile",
    "OMPI_MCA_orte_set_default_slots",
}


def of_a_rank(pod: Mapping[str, str]) -> dict[str, str]:
    """What a rank gets of its worker's environment; what mpirun gave it (its place among the ranks) stays."""
    added = {each.strip() for each in pod.get(PASS_VARIABLE, "").split(",")}
    return {
        name: value
        for name, value in pod.items()
        if name.startswith(_PREFIXES) or name in _NAMES or (name in added and not _is_a_place(name))
    }


def of_mpirun(pod: Mapping[str, str]) -> dict[str, str]:
    """What mpirun gets of the launcher's: nothing of it is for the ranks; OMPI_MCA_* of the user win over ours."""
    own = {
        name: value
        for name, value in pod.items()
        if (name.startswith(("OMPI_MCA_", "PMIX_MCA_")) and name not in _OPERATORS_OWN)
        or name in ("HOME", "PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
    }
    return DEFAULTS | own


DEFAULTS = {
    "OMPI_MCA_mpi_yield_when_idle": "1",
    # TCP between pods, shared memory within one: what is there everywhere. NCCL has its own ways.
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,vader,tcp",
    # Reading another process's memory needs a capability that pods do not have.
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    # Every worker is reached from the launcher, which alone knows who is there.
    "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
    # The ssh of a node that has gone silent ends, and mpirun with it, only if it was kept.
    "OMPI_MCA_orte_leave_session_attached": "1",
    "OMPI_MCA_orte_keep_fqdn_hostnames": "1",
    # A rank dies with the thread that started it, so the daemon must start it in its main one.
    "OMPI_MCA_odls_base_num_threads": "0",
    "PMIX_MCA_gds": "hash",
}
"""Open MPI's settings of an attempt; see ``ompi_info --all``."""


def _is_a_place(name: str) -> bool:
    return name in {"HOSTNAME", "K_MPI_JOB_ROLE"} or name.startswith(("KUBERNETES_", "OMPI_", "PMIX_", "SSH_"))
