"""A series becomes one NIfTI or NRRD, where a plan keeps volumes so."""

import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as Sitk
from numpy.typing import NDArray
from tests.data.dicom_cases import ct_slice, dicom, gradient, image, read, written

from proctor_workers.hidden_data.case_files import QuarantineError, UnreadableFileError
from proctor_workers.hidden_data.deidentify.profile import Deidentification, Faces

SLICES = [ct_slice(n, 30.0 + 2.5 * n) for n in (2, 0, 1)]
STORED = np.stack([gradient(dtype="<i2") + n for n in range(3)])


def nifti(folder: Path, *slices: bytes) -> Any:
    (file,) = read(folder, *slices, volumes="nifti").files
    assert file.name == "0.nii"
    return nibabel.load(file.path)


def nrrd(folder: Path, *slices: bytes) -> NDArray[Any]:
    (file,) = read(folder, *slices, volumes="nrrd").files
    assert file.name == "0.nrrd"
    return Sitk.GetArrayFromImage(Sitk.ReadImage(file.path))


def test_nifti_keeps_stored_values_scale_and_place(tmp_path: Path) -> None:
    volume = nifti(tmp_path, *SLICES)

    assert np.array_equal(np.asarray(volume.dataobj.get_unscaled()).T, STORED)
    assert (volume.dataobj.slope, volume.dataobj.inter) == (1, -1024)
    # From LPS to RAS: x and y change their signs.
    expected = [[-0.75, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2.5, 30], [0, 0, 0, 1]]
    assert volume.affine.tolist() == expected


def test_nifti_keeps_the_shear_of_a_tilted_gantry(tmp_path: Path) -> None:
    slices = [ct_slice(n, 2.0 * n, ImagePositionPatient=[0.0, 0.5 * n, 2.0 * n]) for n in range(4)]

    affine = nifti(tmp_path, *slices).affine

    assert affine[:3, 2].tolist() == [0, -0.5, 2]


def test_nrrd_holds_scaled_whole_numbers(tmp_path: Path) -> None:
    found = nrrd(tmp_path, *SLICES)

    assert found.dtype == np.int16
    assert np.array_equal(found, STORED - 1024)


def test_slices_with_scales_of_their_own_become_floats_that_give_stored_values_back(
    tmp_path: Path,
) -> None:
    slopes = [0.1, 0.25, 0.7]
    slices = [
        ct_slice(n, 2.0 * n, RescaleSlope=slope, RescaleIntercept=0)
        for n, slope in enumerate(slopes)
    ]

    found = np.asarray(nifti(tmp_path, *slices).dataobj).T

    assert found.dtype == np.float32
    assert np.array_equal(np.rint(found / np.array(slopes)[:, None, None]), STORED)


def test_volume_tells_its_grid_and_where_it_came_from(tmp_path: Path) -> None:
    content = read(tmp_path, *SLICES, volumes="nifti")

    assert content.grid is not None
    assert content.grid.size == (3, 24, 20)
    assert content.grid.instances == ("1.2.3.3.0", "1.2.3.3.1", "1.2.3.3.2")
    assert content.files[0].original_uid == "1.2.3.3.0"
    assert b"DOE" not in content.files[0].path.read_bytes()


def test_enhanced_image_becomes_a_volume(tmp_path: Path) -> None:
    from tests.data.test_dicom_series import enhanced

    volume = nifti(tmp_path, enhanced([0, 2, 4]))

    assert volume.shape == (20, 24, 3)
    assert (volume.dataobj.slope, volume.dataobj.inter) == (2, -1000)


@pytest.mark.parametrize(
    "odd",
    [
        ct_slice(9, 99.0),
        ct_slice(9, 35.0, SeriesInstanceUID="1.2.3.77"),
        ct_slice(9, 37.5, PixelSpacing=[1, 1]),
        ct_slice(9, 37.5, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
    ],
)
def test_slices_that_make_no_volume_are_refused_with_the_reason(tmp_path: Path, odd: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="no single volume") as refused:
        read(tmp_path, *SLICES, odd, volumes="nifti")

    assert "native" in refused.value.refusal.cure


@pytest.fixture(scope="module")
def head() -> list[bytes]:
    """Return the slices of a real head with its face, thinned to 2 mm (mricron's ch2, BSD)."""
    template = nibabel.load("/usr/share/mricron/templates/ch2.nii.gz")
    voxels = np.asarray(template.dataobj)[::2, ::2, ::2]
    # RAS to LPS: columns to the left, rows to the back, slices upwards.
    slices = np.ascontiguousarray(voxels[::-1, ::-1].T.astype("<u2"))
    place = {"PixelSpacing": [2, 2], "SliceThickness": 2, "Modality": "MR", "RescaleIntercept": 0}
    return [
        dicom(
            image(
                values,
                SOPInstanceUID=f"1.2.3.3.{n}",
                InstanceNumber=n + 1,
                ImagePositionPatient=[-90, -126, 2 * n],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                **place,
            )
        )
        for n, values in enumerate(slices)
    ]


@pytest.mark.parametrize("form", ["native", "nifti"])
def test_face_is_taken_out_of_a_series_and_the_brain_stays(
    tmp_path: Path, head: list[bytes], form: str
) -> None:
    plan = Deidentification(faces=Faces.REMOVE)

    content = read(tmp_path, *head, deidentification=plan, volumes=form)

    before = np.stack([pydicom.dcmread(io.BytesIO(one)).pixel_array for one in head])
    if form == "native":
        after = np.stack([one.pixel_array for one in written(content)])
        for one in written(content):
            assert "113102" in {c.CodeValue for c in one.DeidentificationMethodCodeSequence}
    else:
        after = np.asarray(nibabel.load(content.files[0].path).dataobj).T
    changed = before != after
    assert content.actions["faces.removed"] == 1
    assert changed[15:30, :12][before[15:30, :12] > 20].mean() > 0.7  # nose and mouth, no air
    assert not changed[45:, 40:].any()  # the upper half of the brain


def test_series_without_a_head_is_held_back_where_faces_are_to_go(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError):
        read(tmp_path, *SLICES, deidentification=Deidentification(faces=Faces.REMOVE))


def test_slices_in_which_no_face_can_be_looked_for_are_held_back(tmp_path: Path) -> None:
    plan = Deidentification(faces=Faces.REMOVE)

    with pytest.raises(QuarantineError, match="no face can be found"):
        read(tmp_path, *SLICES, ct_slice(9, 99.0), deidentification=plan)


def test_colours_make_no_volume(tmp_path: Path) -> None:
    colours = np.zeros((3, 5, 5, 3), np.uint8)

    with pytest.raises(UnreadableFileError, match="colours"):
        read(tmp_path, dicom(image(colours)), volumes="nifti")


def test_single_picture_stays_dicom(tmp_path: Path) -> None:
    content = read(tmp_path, dicom(image()), volumes="nifti")

    assert [file.name for file in content.files] == ["0.dcm"]
