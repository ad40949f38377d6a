"""A file of weights as arrays by name, told by its first bytes: safetensors, or the HDF5 of a stock Keras ResNet."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from trainer.errors import DataError
from trainer.model.weights import keras_names, metadata, torchvision_names
from trainer.model.weights.weights import KEY, Weights

_HDF5_START = b"\x89HDF\r\n\x1a\n"
_ZIP_START = b"PK\x03\x04"
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_LARGEST_HEADER_BYTES = 100_000_000


def read_weights(path: Path, shown: str = "") -> Weights:
    """Reads a file of weights; ``shown`` is how errors name it.

    Raises DataError if it is missing, truncated, of another kind, or a pickle, which is never loaded.
    """
    shown = shown or str(path)
    kind = _kind(path, shown)
    try:
        return _read_hdf5(path, shown) if kind == "hdf5" else _read_safetensors(path)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataError(KEY, shown, f"cannot be read ({reason})", "copy the file anew") from error


def _kind(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise DataError(KEY, shown, f"cannot be opened ({error.strerror})", "check the path") from error
    if start.startswith(_HDF5_START):
        return "hdf5"
    if start.startswith((_ZIP_START, *_PICKLE_STARTS)):
        rule = "is a zip archive or a pickle, which could run code when it is loaded, so it is not"
        cure = "save its tensors as safetensors (safetensors.torch.save_file), or a Keras model by save_weights"
        raise DataError(KEY, shown, rule, cure)
    if len(start) == 16 and int.from_bytes(start[:8], "little") < _LARGEST_HEADER_BYTES and start[8:9] == b"{":
        return "safetensors"
    raise DataError(KEY, shown, "is neither safetensors nor HDF5", "name a .safetensors or a .weights.h5 file")


def _read_safetensors(path: Path) -> Weights:
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        said = metadata.read(file.metadata())
    if torchvision_names.is_torchvision(arrays):
        return Weights(torchvision_names.renamed(arrays), "torchvision")
    return Weights(arrays, said.get("model", {}).get("layout"), tuple(said.get("classes", ())))


def _read_hdf5(path: Path, shown: str) -> Weights:
    return Weights(keras_names.read(path, shown), "keras")
