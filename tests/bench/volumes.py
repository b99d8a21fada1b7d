"""Reading .nii.gz beside nibabel: three volumes that gzip finds hard, middling and easy."""

import gzip
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tests.bench.record import Row, paired

from proctor_workers.hidden_data.formats.volumes.nifti import read_nifti

HEAD = Path("/usr/share/mricron/templates/ch2.nii.gz")
GOAL = 4.0
PAIRS = 9
CT_SHAPE = (60, 512, 512)


def rows() -> list[Row]:
    """Compare on files that lie in the page cache, equal to the last value or not at all."""
    with TemporaryDirectory() as folder:
        head = np.asanyarray(nibabel.load(HEAD).dataobj).T
        volumes = {
            "ct": ("a noisy CT of 60 slices, 16 bit", _ct()),
            "mr": ("a head MR, 8 bit", head),
            "labels": ("a brain mask, 8 bit", _mask()),
        }
        return [
            _against(id_, what, _written(Path(folder, f"{id_}.nii.gz"), voxels), voxels)
            for id_, (what, voxels) in volumes.items()
        ]


def _against(id_: str, what: str, path: Path, voxels: NDArray[Any]) -> Row:
    np.testing.assert_array_equal(_ours(path), voxels)
    np.testing.assert_array_equal(_nibabel(path), voxels)
    found = paired(
        partial(_timed, lambda: _ours(path)), partial(_timed, lambda: _nibabel(path)), pairs=PAIRS
    )
    megabytes = voxels.nbytes / 1e6
    return Row(
        id=f"nifti_gz_{id_}",
        what=f"unpack {what} from .nii.gz, stored values, CPU time of one thread",
        unit="MB/s",
        ours=megabytes / found.ours,
        reference=megabytes / found.reference,
        reference_name="nibabel, as stored",
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≥ {GOAL:g} x",
        met=found.interval[0] >= GOAL,
    )


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _ours(path: Path) -> NDArray[Any]:
    return read_nifti(path.read_bytes(), None).voxels


def _nibabel(path: Path) -> NDArray[Any]:
    return np.asanyarray(nibabel.load(path).dataobj).T


def _written(path: Path, voxels: NDArray[Any]) -> Path:
    content = nibabel.Nifti1Image(voxels.T, np.eye(4)).to_bytes()
    path.write_bytes(gzip.compress(content, 6))
    return path


def _ct() -> NDArray[np.int16]:
    """Soft tissue with noise of 20 HU in a round field of view, air around it."""
    draws = np.random.default_rng(20261121)
    tissue = ndimage.gaussian_filter(draws.normal(0, 1, CT_SHAPE), 2) * 4000
    tissue += draws.normal(0, 20, CT_SHAPE)
    _, rows, columns = np.ogrid[-1 : 1 : CT_SHAPE[0] * 1j, -1:1:512j, -1:1:512j]
    return np.where(rows**2 + columns**2 > 0.8, -1000, tissue).astype(np.int16)


def _mask() -> NDArray[np.uint8]:
    brain = np.asanyarray(nibabel.load(HEAD.with_name("ch2bet.nii.gz")).dataobj)
    return np.ascontiguousarray((brain > 0).T.astype(np.uint8))
