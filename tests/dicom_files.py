"""Makes DICOM files of known pixels, in every transfer syntax that is read."""

import io
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import simplejpeg
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
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
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
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
    dcmwrite(buffer, made, enforce_file_format=True)
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
    from pydicom.encaps import get_frame

    return get_frame(made.PixelData, 0, number_of_frames=1)


def _gdcm_code(pixels: npt.NDArray[Any], made: Dataset, syntax: str) -> bytes:
    kind = gdcm.PixelFormat(
        made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation
    )
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((made.Columns, made.Rows, 1))
    image.SetPixelFormat(kind)
    photometric = gdcm.PhotometricInterpretation.GetPIType(made.PhotometricInterpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ExplicitVRLittleEndian))
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(pixels.tobytes())
    image.SetDataElement(element)
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(_GDCM[syntax]))
    change.SetInput(image)
    assert change.Change()
    fragments = change.GetOutput().GetDataElement().GetSequenceOfFragments()
    code = fragments.GetFragment(0).GetByteValue()
    return bytes(code.GetBuffer().encode("utf-8", "surrogateescape"))
