"""The errors a user can meet. Each is one line: the dotted key, the value, the rule, the cure.

    CxrError                    exit 1
    ├── UsageError              exit 2    the command line or the configuration is wrong
    ├── DataError               exit 3    a catalog, a film, a shard or a checkpoint is wrong
    ├── ClusterError            exit 4    ranks, nodes or the cluster are not what the job asked for
    ├── SelfTestError           exit 5    ranks do not average, their weights differ, or an export gives other scores
    ├── StoreDown               exit 145  an object store does not answer, in spite of the retries
    ├── PeerLost                exit 144  another rank of the job is gone; its own error is the one to read
    └── Stopped                 exit 143  asked to stop; a checkpoint was committed first

Codes 1 to 127 are permanent: the same call fails the same way. Codes from 128 are worth a retry.
"""

from typing import ClassVar


class CxrError(Exception):
    """Something the user can cure.

    Args:
        key: dotted configuration key or file the error is about, e.g. ``train.global_batch_size``.
        value: the offending value, shown with ``repr``.
        rule: what the value violates, reads on from the value: ``is not divisible by 3 ranks``.
        cure: what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, key: str, value: object, rule: str, cure: str) -> None:
        super().__init__(f"{key}: {value!r} {rule}; {cure}")
        self.key, self.value, self.rule, self.cure = key, value, rule, cure

    def __reduce__(self) -> tuple[type["CxrError"], tuple[str, object, str, str]]:
        return type(self), (self.key, self.value, self.rule, self.cure)


class UsageError(CxrError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class DataError(CxrError):
    """A catalog, a film, a shard or a checkpoint is wrong."""

    exit_code = 3


class ClusterError(CxrError):
    """Ranks, nodes or the cluster are not what the job asked for."""

    exit_code = 4


class SelfTestError(CxrError):
    """Ranks do not average, their weights differ, or an export gives other scores."""

    exit_code = 5


class StoreDown(CxrError):
    """An object store does not answer, or only with errors of its own, in spite of the retries."""

    exit_code = 145


class PeerLost(CxrError):
    """Another rank of the job is gone; its own error is the one to read."""

    exit_code = 144


class Stopped(CxrError):
    """Asked to stop by a signal; the checkpoint is committed, so a retry goes on from it."""

    exit_code = 143
