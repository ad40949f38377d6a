"""The doctor's look at where films and checkpoints lie: Secrets, stores, volume claims. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from k8s.environment import of_a_rank
from k8s.finding import Finding, Object
from k8s.values import Values, at

_STORAGE_SECRET = "storage secret"  # noqa: S105 - no password

_OPENS: Mapping[str, Sequence[Sequence[str]]] = {
    "s3": (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),),
    "gs": (
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ("GOOGLE_SERVICE_ACCOUNT",),
        ("GOOGLE_APPLICATION_CREDENTIALS",),
    ),
    "az": (
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_KEY"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
    ),
}
"""By scheme: variables that open a store, each line of them by itself."""


def secrets(values: Values, present: Mapping[str, Object | None]) -> Iterator[Finding]:
    """The Secrets that the values name are there, and the store's holds what opens the stores that are named.

    Args:
        values: the chart's.
        present: by name; None for one that is not there. Of ``data`` only the keys are looked at.
    """
    for name, key, kind in named_secrets(values):
        found = present.get(name)
        if found is not None:
            yield Finding(kind, "good", f"Secret {name} is there")
        else:
            cure = f"kubectl create secret {'docker-registry' if kind == 'pull secret' else 'generic'} {name} ..."
            yield Finding(kind, "blocking", f"{key} names the Secret {name}, which is not there", cure)
        if kind == _STORAGE_SECRET and found is not None and "data" in found:
            yield from _keys(values, name, frozenset(found["data"] or {}), stores(values))
    if not at(values, "existingSecret") and not at(values, "serviceAccount.annotations") and stores(values):
        yield Finding(
            "store",
            "note",
            f"{stores(values)[0]} is a store, and neither existingSecret nor an identity is set",
            "set existingSecret, or serviceAccount.annotations; a public bucket needs none",
        )


def named_secrets(values: Values) -> list[tuple[str, str, str]]:
    """(name, key, kind) of every Secret in the values."""
    pull = [(each["name"], "imagePullSecrets", "pull secret") for each in at(values, "imagePullSecrets", [])]
    store = at(values, "existingSecret")
    mlflow = at(values, "mlflow.existingSecret")
    ours = [(store, "existingSecret", _STORAGE_SECRET), (mlflow, "mlflow.existingSecret", "MLflow secret")]
    return pull + [each for each in ours if each[0]]


def stores(values: Values) -> list[str]:
    """The object stores' addresses in the training settings; those of prepare only where the chart prepares."""
    paths = ["data.training", "data.validation", "data.test", "checkpoint.directory", "trackers.tensorboard.directory"]
    if at(values, "prepare.enabled", False):
        paths += [f"prepare.{each}" for each in ("source", "table", "train_list", "test_list", "destination")]
    found: list[str] = []
    for path in paths:
        given = at(values, f"training.{path}", "")
        found += [str(each) for each in (given if isinstance(given, list) else [given]) if "://" in str(each)]
    return found


def claims(values: Values, present: Mapping[str, Object | None]) -> Iterator[Finding]:
    """The volume claims that the values name are there, and can be mounted by all workers."""
    workers = int(at(values, "workers.count", 1))
    for name, key in named_claims(values):
        claim = present.get(name)
        if claim is None:
            yield Finding("volume", "blocking", f"{key} names the claim {name}, which is not there", "create it")
            continue
        modes = claim["spec"].get("accessModes", [])
        if workers > 1 and not {"ReadWriteMany", "ReadOnlyMany"} & set(modes):
            text = f"claim {name} is {', '.join(modes)}, and {workers} workers mount it"
            yield Finding("volume", "note", text, "use ReadWriteMany, or keep all workers on one node (affinity)")
        else:
            yield Finding("volume", "good", f"claim {name} is there")


def named_claims(values: Values) -> list[tuple[str, str]]:
    """(name, key) of every volume claim in the values that has to exist."""
    keys = ("data.existingClaim", "cache.existingClaim", "checkpoint.persistence.existingClaim")
    return [(at(values, key), key) for key in keys if at(values, key)]


def checkpoints(values: Values, classes: Sequence[Object] | None) -> Finding:
    """Checkpoints outlive their pod; the cluster can make the claim that is asked for."""
    if "://" in str(at(values, "training.checkpoint.directory", "")):
        return Finding("checkpoints", "good", "in a store")
    if at(values, "checkpoint.persistence.existingClaim"):
        return Finding("checkpoints", "good", "in an existing claim")
    if not at(values, "checkpoint.persistence.enabled", False):
        return Finding(
            "checkpoints",
            "note",
            "lie in the pod of rank 0 and end with it",
            "set checkpoint.persistence.enabled, or training.checkpoint.directory to a store",
        )
    wanted = at(values, "checkpoint.persistence.storageClass", "")
    names = [each["metadata"]["name"] for each in classes or []]
    default = any(_is_default(each) for each in classes or [])
    if classes is not None and ((wanted and wanted not in names) or (not wanted and not default)):
        text = f"the storage class {wanted or '(the default one)'} does not exist"
        return Finding("checkpoints", "blocking", text, "set checkpoint.persistence.storageClass to one of yours")
    return Finding("checkpoints", "good", "in a claim of their own")


def _keys(values: Values, secret: str, keys: Collection[str], addresses: Sequence[str]) -> Iterator[Finding]:
    """The Secret has the keys that are asked of it, ranks get what it holds, and that opens the stores."""
    named: Mapping[str, str] = at(values, "existingSecretKeys", {})
    lacking = sorted({each for each in named.values() if each not in keys})
    if lacking:
        text = f"Secret {secret} has no key {', '.join(lacking)}, which existingSecretKeys names"
        yield Finding(_STORAGE_SECRET, "blocking", text, f"its keys are {', '.join(sorted(keys))}")
    unseen = sorted(set() if named else keys - of_a_rank(dict.fromkeys(keys, "")).keys())
    if unseen:
        text = f"Secret {secret} holds {', '.join(unseen)}, which no rank gets"
        yield Finding(_STORAGE_SECRET, "note", text, "name the variables they stand for in existingSecretKeys")
    if not lacking and not at(values, "serviceAccount.annotations"):
        yield from _opened(values, secret, named.keys() or keys, addresses)


def _opened(values: Values, secret: str, variables: Collection[str], addresses: Sequence[str]) -> Iterator[Finding]:
    given = {*variables, *(each["name"] for each in at(values, "extraEnv", []))}
    for scheme in sorted({each.partition("://")[0] for each in addresses} & _OPENS.keys()):
        missing = min((set(way) - given for way in _OPENS[scheme]), key=len)
        if missing:
            text = f"with Secret {secret}, {', '.join(sorted(missing))} is still missing to open {scheme}://"
            cure = "add it, or name in existingSecretKeys the key that stands for it"
            begun = any(given & set(way) for way in _OPENS[scheme])
            yield Finding(_STORAGE_SECRET, "blocking" if begun else "note", text, cure)


def _is_default(storage_class: Object) -> bool:
    annotations = storage_class["metadata"].get("annotations") or {}
    return annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
