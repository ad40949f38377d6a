"""The termination message of a pod: why it ended, where ``kubectl describe pod`` and ``cxr-train status`` find it."""

import contextlib
import os
from pathlib import Path

_LIMIT_BYTES = 4096


def write_reason(reason: str) -> None:
    """Keeps the reason in the file that the kubelet reads; a process outside a pod has none."""
    file = Path(os.environ.get("CXR_TRAIN_TERMINATION_LOG", "/dev/termination-log"))
    if file.exists():
        with contextlib.suppress(OSError):
            file.write_bytes(reason.encode()[:_LIMIT_BYTES])
