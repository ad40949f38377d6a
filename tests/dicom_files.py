"""Makes DICOM files of known pixels, in every transfer syntax that is read."""

import io
import warnings
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import simplejpeg
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from trainer.config import DicomConfig

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
LOSSLESS = (RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
LOSSY = (JPEGBaseline8Bit, JPEGLSNearLossless, JPEG2000)
ALL = (*NATIVE, *LOSSLESS, *LOSSY)

ANY = DicomConfig(modalities=(), views=(), body_parts=(), for_processing="keep", minimum_side=1, multi_frame="error")
"""Takes every film."""

_GDCM = {
    JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    JPEGLSNearLossless: gdcm.TransferSyntax.JPEGLSNearLossless,
}


def dataset(pixels: npt.NDArray[Any], *, bits: int = 0, **elements: Any) -> Dataset:
    """A film's header over ``pixels``, [height, width] or, of colours, [height, width, 3]; ``elements`` replace."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    made.Modality, made.BodyPartExamined, made.ViewPosition = "DX", "CHEST", "PA"
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = 8 * pixels.dtype.itemsize
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in elements.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Headers that no device should write are written here.
            setattr(made, keyword, value) if value is not None else delattr(made, keyword)
    return made


def file_of(pixels: npt.NDArray[Any], syntax: str = ExplicitVRLittleEndian, *, bits: int = 0, **elements: Any) -> bytes:
    """A DICOM file of one frame."""
    made = dataset(pixels, bits=bits, **elements)
    if syntax in NATIVE:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        return written(made, content + bytes(len(content) % 2), syntax, "OB" if pixels.dtype.itemsize == 1 else "OW")
    return written(made, encapsulate([code_of(pixels, made, syntax)]), syntax, "OB")


def written(made: Dataset, content: bytes, syntax: str, vr: str = "OW") -> bytes:
    """The file of a header and its encoded pixels."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.add_new("PixelData", vr, content)
    buffer = io.BytesIO()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    dcmwrite(
        buffer,
        made,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return buffer.getvalue()


def code_of(pixels: npt.NDArray[Any], made: Dataset, syntax: str) -> bytes:
    """The compressed frame alone."""
    if syntax == JPEGBaseline8Bit:
        if pixels.ndim == 3:
            return bytes(simplejpeg.encode_jpeg(pixels, 95, "RGB", "422"))
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels)[..., np.newaxis], 95, "GRAY", "Gray"))
    if syntax in _GDCM:
        return _gdcm_code(pixels, made, syntax)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.add_new("PixelData", "OB" if pixels.dtype.itemsize == 1 else "OW", pixels.tobytes())
    made.compress(syntax, **({"j2k_psnr": [70.0]} if syntax == JPEG2000 else {}))
    return get_frame(made.PixelData, 0, number_of_frames=1)


def _gdcm_code(pixels: npt.NDArray[Any], made: Dataset, syntax: str) -> bytes:
    """By way of files: objects of gdcm's that Python holds may end the process when they are collected."""
    with TemporaryDirectory() as folder:
        source, changed = str(Path(folder) / "native.dcm"), str(Path(folder) / "changed.dcm")
        Path(source).write_bytes(written(deepcopy(made), pixels.tobytes(), ExplicitVRLittleEndian))
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(source)
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(_GDCM[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(changed)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return get_frame(dcmread(changed).PixelData, 0, number_of_frames=1)
