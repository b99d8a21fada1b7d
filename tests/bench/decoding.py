"""Reads DICOM frames from file to stored values, beside pydicom's default, exactly equal."""

import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import data_store
import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, JPEGLSLossless
from tests.bench.record import Row, paired

from proctor_workers.hidden_data.case_files import SourceFile
from proctor_workers.hidden_data.formats.dicom.originals import opened
from proctor_workers.hidden_data.formats.dicom.pixels import decoded, layout_of

# A CT slice, 512 × 512 × 16 bit, from pydicom-data (MIT licence).
SLICE = Path(data_store.__file__).parent / "data" / "693_UNCR.dcm"
GOAL = 2.0
READS, PAIRS = 40, 15
ENCODERS: dict[str, tuple[str, str, Callable[[NDArray[np.uint16]], bytes] | None]] = {
    "decode_jpeg_ls": ("JPEG-LS", JPEGLSLossless, imagecodecs.jpegls_encode),
    "decode_jpeg_lossless": ("JPEG lossless", JPEGLosslessSV1, imagecodecs.ljpeg_encode),
    "decode_raw": ("uncompressed", ExplicitVRLittleEndian, None),
}


def rows() -> list[Row]:
    """Compare on one slice in each coding."""
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        return [_row(name, Path(folder) / f"{name}.dcm") for name in ENCODERS]


def _row(name: str, path: Path) -> Row:
    told, syntax, encode = ENCODERS[name]
    path.write_bytes(_coded(syntax, encode))
    np.testing.assert_array_equal(_ours(path)[0], _pydicom(path))
    found = paired(_timed(lambda: _ours(path)), _timed(lambda: _pydicom(path)), pairs=PAIRS)
    return Row(
        id=name,
        what=f"a CT slice of 512×512×16 bit, {told}, from file to values, CPU time of one thread; "
        f"median of {PAIRS} pairs of {READS} reads",
        unit="ms",
        ours=found.ours,
        reference=found.reference,
        reference_name=f"pydicom {pydicom.__version__}, its default decoder",
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≥ {GOAL:g} x",
        met=found.interval[0] >= GOAL,
    )


def _ours(path: Path) -> NDArray[np.uint16]:
    original = opened(SourceFile(name=path.name, path=path), hold=True)
    layout = layout_of(original)
    _, content = original.content()
    return decoded(original, layout, content).values


def _pydicom(path: Path) -> NDArray[np.uint16]:
    return pydicom.dcmread(path).pixel_array


def _coded(syntax: str, encode: Callable[[NDArray[np.uint16]], bytes] | None) -> bytes:
    """Return the slice's file with its values as unsigned 16-bit ones in this coding."""
    dataset = pydicom.dcmread(SLICE)
    values = (dataset.pixel_array.astype(np.int32) + 2048).clip(0).astype(np.uint16)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 0
    dataset.PixelData = values.tobytes()
    if encode:
        dataset.PixelData = encapsulate([encode(values)])
        dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        begun = time.process_time()
        for _ in range(READS):
            work()
        return 1000 * (time.process_time() - begun) / READS

    return timed
