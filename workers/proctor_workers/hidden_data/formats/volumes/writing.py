"""Writes a volume as NIfTI or NRRD: a header of allow-listed fields, then the values, unpacked."""

import hashlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import CanonicalFile, UnreadableFileError
from proctor_workers.hidden_data.formats.volumes.nifti import LAYOUTS, TYPES
from proctor_workers.hidden_data.formats.volumes.nifti_place import FIELDS
from proctor_workers.hidden_data.formats.volumes.volume import Volume

_MAGIC = {348: b"n+1\0", 540: b"n+2\0\r\n\x1a\n"}
_CODES = {np.dtype(kind): code for code, kind in TYPES.items()}
_MM = 2  # NIFTI_UNITS_MM
_SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
_MOST_NIFTI1 = 32_767  # dim is a 16-bit field
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NRRD_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
    "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip


def nifti_header(volume: Volume) -> bytes:
    """Return the header of a single-file NIfTI with its empty extension flag.

    It is NIfTI-2 where the original was, or where a dimension is above 32,767. Geometry is that of
    the original to the bit where it was NIfTI; else the affine is rounded to the header's 32 bits.
    """
    size = 540 if max(volume.voxels.shape) > _MOST_NIFTI1 else 348
    size = max(size, int(volume.nifti.get("sizeof_hdr", 348)))
    header: NDArray[Any] = np.zeros((), LAYOUTS[size].newbyteorder("<"))
    header["sizeof_hdr"], header["magic"] = size, _MAGIC[size]
    slices, rows, columns = volume.voxels.shape
    header["dim"] = [3, columns, rows, slices, 1, 1, 1, 1]
    dtype = volume.voxels.dtype.newbyteorder("=")
    header["datatype"], header["bitpix"] = _CODES[dtype], 8 * dtype.itemsize
    header["vox_offset"] = size + 4
    header["scl_slope"], header["scl_inter"] = volume.slope, volume.inter
    kept = volume.nifti or _geometry(volume, size)
    for name in FIELDS:
        header[name] = kept[name]
    return header.tobytes() + bytes(4)


def _geometry(volume: Volume, size: int) -> dict[str, Any]:
    kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
    header = kind(endianness="<")
    header.set_data_shape(volume.voxels.shape[::-1])
    header.set_zooms(volume.spacing)
    if volume.oriented:
        affine = _LPS_TO_RAS @ volume.affine
        header.set_sform(affine, _SCANNER)
        rotation = affine[:3, :3] / volume.spacing
        if np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-4):
            header.set_qform(affine, _SCANNER)
    header["xyzt_units"] = _MM
    return {name: header[name] for name in FIELDS}


def nrrd_header(volume: Volume) -> bytes:
    """Return the attached header of a raw NRRD with the blank line that ends it.

    Raises:
        UnreadableFileError: stored values have a scale, for which NRRD has no field.
    """
    if (volume.slope, volume.inter) != (1.0, 0.0):
        raise UnreadableFileError(
            "scales its stored values, for which NRRD has no place",
            "Choose canonical.volumes: nifti or native in the plan.",
        )
    slices, rows, columns = volume.voxels.shape
    dtype = volume.voxels.dtype
    lines = [
        "NRRD0004",
        f"type: {_NRRD_TYPES[f'{dtype.kind}{dtype.itemsize}']}",
        "dimension: 3",
        *(["space: left-posterior-superior"] if volume.oriented else []),
        f"sizes: {columns} {rows} {slices}",
        *_nrrd_space(volume),
        "endian: little",
        "encoding: raw",
    ]
    return ("\n".join(lines) + "\n\n").encode("ascii")


def _nrrd_space(volume: Volume) -> list[str]:
    if not volume.oriented:
        return ["spacings: " + " ".join(map(repr, volume.spacing))]
    vectors = [_vector(volume.affine[:3, axis]) for axis in range(4)]
    return [f"space directions: {' '.join(vectors[:3])}", f"space origin: {vectors[3]}"]


def _vector(numbers: NDArray[np.float64]) -> str:
    return f"({','.join(repr(float(number) + 0.0) for number in numbers)})"


def write_volume(volume: Volume, path: Path) -> CanonicalFile:
    """Write a volume in the format of the path's ending, `.nii` or `.nrrd`.

    Raises:
        UnreadableFileError: the format cannot hold it.
    """
    header = nifti_header(volume) if path.suffix == ".nii" else nrrd_header(volume)
    little = volume.voxels.dtype.newbyteorder("<")
    values = np.ascontiguousarray(volume.voxels, little)
    digest = hashlib.sha256(header)
    with path.open("wb") as out:
        out.write(header)
        digest.update(values.data)
        out.write(values.data)
    return CanonicalFile(
        name=path.name,
        role="image",
        path=path,
        size=len(header) + values.nbytes,
        sha256=digest.hexdigest(),
    )
