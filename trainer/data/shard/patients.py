"""Patients as keyed hashes: enough to tell that two sets share one, not to tell who it is."""

import hashlib
import os
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from trainer.data.shard.manifest import ANEW, Manifest, PatientsFile, sha256_of
from trainer.data.store.store import NotThere, Store
from trainer.errors import DataError

KEY_VARIABLE = "CXR_TRAIN_PATIENT_KEY"

Hashes = npt.NDArray[np.uint64]


class PatientHasher:
    """Hashes patients' identifiers with a secret key (BLAKE2, RFC 7693); equal keys give comparable hashes."""

    def __init__(self, key: str) -> None:
        # BLAKE2 takes keys of up to 64 bytes, a person may choose a longer one.
        self._key = hashlib.blake2b(key.encode(), digest_size=32, person=b"cxr-key").digest()
        self.fingerprint = hashlib.blake2b(key.encode(), digest_size=8, person=b"cxr-fingerprint").hexdigest()
        """16 hexadecimal digits that tell two keys apart and do not give the key away."""

    def hash(self, patient: str) -> str:
        """64 bits as 16 hexadecimal digits."""
        return hashlib.blake2b(patient.encode(), digest_size=8, key=self._key).hexdigest()


def hasher_from_environment() -> PatientHasher:
    """The hasher with the key in ``CXR_TRAIN_PATIENT_KEY``; unset: the empty key, which hides nothing."""
    return PatientHasher(os.environ.get(KEY_VARIABLE, ""))


def write_patients(store: Store, hashes: Iterable[str], fingerprint: str) -> PatientsFile:
    """Writes the set's distinct patients as sorted little-endian uint64."""
    content = np.array(sorted({int(each, 16) for each in hashes}), dtype="<u8").tobytes()
    described = PatientsFile(sha256=sha256_of(content), key_fingerprint=fingerprint)
    store.write(described.name, content)
    return described


def shared_patients(a_store: Store, a: Manifest, b_store: Store, b: Manifest) -> int:
    """How many patients two sets share. Raises DataError where their keys differ, or a file is damaged."""
    if a.patients_file.key_fingerprint != b.patients_file.key_fingerprint:
        raise DataError(
            KEY_VARIABLE,
            f"{a.patients_file.key_fingerprint}, {b.patients_file.key_fingerprint}",
            f"are the fingerprints of two keys, so nobody can tell whether {a_store.where} and {b_store.where} "
            "share patients",
            "prepare both with the same key",
        )
    ours, theirs = _read_patients(a_store, a), _read_patients(b_store, b)
    return int(np.intersect1d(ours, theirs, assume_unique=True).size)


def refuse_shared_patients(a_store: Store, a: Manifest, b_store: Store, b: Manifest) -> None:
    """Raises DataError, naming how many and the setting that named ``b_store``, if two sets share patients."""
    shared = shared_patients(a_store, a, b_store, b)
    if shared:
        raise DataError(
            b_store.key,
            b_store.where,
            f"shares {shared} patients with {a_store.where}",
            "prepare both in one run of 'cxr-train prepare', which splits by patient",
        )


def _read_patients(store: Store, manifest: Manifest) -> Hashes:
    described = manifest.patients_file
    try:
        content = store.read(described.name)
    except NotThere:
        content = b""
    found = sha256_of(content)
    if found != described.sha256:
        raise DataError(
            store.key,
            store.where,
            f"holds a {described.name} with the SHA-256 {found[:12]}, in the manifest it is {described.sha256[:12]}",
            ANEW,
        )
    return np.frombuffer(content, dtype="<u8")
