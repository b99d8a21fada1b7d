"""Volumes come out with the values and the place that they went in with, whatever the format."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  the name that its users know
from numpy.typing import NDArray
from tests.data.foreign_files import read, with_fields

from proctor_workers.hidden_data.case_files import CanonicalForm, CaseContent

DRAWS = np.random.default_rng(3)
NIBABEL = Path(nibabel.__file__).parent / "tests/data"
HEAD = Path("/usr/share/mricron/templates/ch2.nii.gz")
REAL = (
    NIBABEL / "anatomical.nii",
    NIBABEL / "standard.nii.gz",
    NIBABEL / "reoriented_anat_moved.nii",
    NIBABEL / "resampled_anat_moved.nii",
    HEAD,
)
TYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
# Rotated by 20 degrees about one axis, then 30 about another.
OBLIQUE = (
    np.array([[0.94, -0.342, 0.0], [0.342, 0.94, 0.0], [0.0, 0.0, 1.0]])
    @ np.array([[1.0, 0.0, 0.0], [0.0, 0.866, -0.5], [0.0, 0.5, 0.866]])
)  # fmt: skip


def volume(dtype: str = "i2", shape: tuple[int, ...] = (5, 9, 11)) -> NDArray[np.generic]:
    """Return values, slices × rows × columns, that use all of their type."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return DRAWS.normal(0, 1000, shape).astype(kind)
    limits = np.iinfo(kind)
    return DRAWS.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


def itk(values: NDArray[np.generic]) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-120.123456789, 33.3, 1e-3))
    q, _ = np.linalg.qr(OBLIQUE)
    image.SetDirection(q.ravel().tolist())
    return image


def stored_in(content: CaseContent) -> NDArray[np.generic]:
    """Return what nibabel reads of the canonical NIfTI, before it scales, slices first."""
    image = nibabel.load(content.files[0].path)
    return np.asanyarray(image.dataobj.get_unscaled()).T


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_nifti_keeps_stored_values_and_affine(path: Path, tmp_path: Path) -> None:
    content = read(tmp_path, {path.name: path})
    original, kept = nibabel.load(path), nibabel.load(content.files[0].path)
    np.testing.assert_array_equal(stored_in(content), original.dataobj.get_unscaled().T)
    np.testing.assert_array_equal(kept.affine, original.affine)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_nifti_as_nrrd_lies_where_it_lay(path: Path, tmp_path: Path) -> None:
    content = read(tmp_path, {path.name: path}, CanonicalForm(volumes="nrrd"))
    original, kept = sitk.ReadImage(path), sitk.ReadImage(content.files[0].path)
    values = nibabel.load(path).dataobj.get_unscaled().T  # ITK reads NaN in NIfTI as 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(kept), values)
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(kept, get)(), getattr(original, get)(), atol=2e-5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha", "mhd"])
def test_itk_formats_keep_values_and_geometry_to_the_bit(
    ending: str, dtype: str, tmp_path: Path
) -> None:
    made = itk(volume(dtype))
    sitk.WriteImage(made, tmp_path / f"a.{ending}", useCompression=ending in {"nrrd", "mha"})
    written = sorted(tmp_path.glob("a.*"), key=lambda path: path.suffix == ".raw")
    content = read(tmp_path, {path.name: path for path in written})
    original, kept = sitk.ReadImage(tmp_path / f"a.{ending}"), sitk.ReadImage(content.files[0].path)
    assert content.files[0].name == "0.nrrd"
    assert kept.GetPixelID() == original.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(kept), sitk.GetArrayFromImage(original))
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(kept, get)(), getattr(original, get)(), rtol=1e-14)


def test_itk_format_as_nifti_lies_where_it_lay(tmp_path: Path) -> None:
    made = itk(volume("u2"))
    sitk.WriteImage(made, tmp_path / "a.mha")
    content = read(tmp_path, {"a.mha": tmp_path / "a.mha"}, CanonicalForm(volumes="nifti"))
    kept = sitk.ReadImage(content.files[0].path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(kept), sitk.GetArrayFromImage(made))
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(kept, get)(), getattr(made, get)(), atol=1e-5)


@pytest.mark.parametrize("dtype", TYPES)
def test_byte_order_does_not_matter(dtype: str, tmp_path: Path) -> None:
    values = volume(dtype)
    image = nibabel.Nifti1Image(values.T, np.eye(4), dtype=values.dtype)
    swapped = nibabel.Nifti1Image(
        values.T, None, nibabel.Nifti1Header(endianness=">", check=False), dtype=values.dtype
    )
    swapped.header.set_data_dtype(values.dtype)
    swapped.set_sform(np.eye(4), 1)
    image.header.set_data_dtype(values.dtype)
    content = read(tmp_path, {"a.nii": swapped.to_bytes()})
    np.testing.assert_array_equal(stored_in(content), values)
    assert content.files[0].path.read_bytes()[:4] == (348).to_bytes(4, "little")


def test_scale_is_kept_beside_the_stored_values(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume("i2").T, np.eye(4))
    image.header.set_slope_inter(0.5, -1024)
    content = read(tmp_path, {"a.nii": image.to_bytes()})
    kept = nibabel.load(content.files[0].path)
    assert (kept.dataobj.slope, kept.dataobj.inter) == (0.5, -1024)
    np.testing.assert_array_equal(stored_in(content).T, image.dataobj)


def test_nifti_2_stays_nifti_2(tmp_path: Path) -> None:
    affine = np.diag([0.1234567890123, 1, 1, 1])
    image = nibabel.Nifti2Image(volume("f8").T, affine)
    kept = nibabel.load(read(tmp_path, {"a.nii": image.to_bytes()}).files[0].path)
    assert isinstance(kept, nibabel.Nifti2Image)
    np.testing.assert_array_equal(kept.affine, affine)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.AnalyzeImage])
def test_header_and_image_become_one_file(
    kind: type[nibabel.Nifti1Pair], packed: str, tmp_path: Path
) -> None:
    values = volume("i2")
    nibabel.save(kind(values.T, np.eye(4)), tmp_path / "a.img")
    image = (tmp_path / "a.img").read_bytes()
    files: dict[str, bytes | Path] = {
        "p/A.hdr": tmp_path / "a.hdr",
        f"p/a.img{packed}": gzip.compress(image) if packed else image,
    }
    content = read(tmp_path, files)
    assert [file.name for file in content.files] == ["0.nii"]
    np.testing.assert_array_equal(stored_in(content), values)


def test_nrrd_text_and_hexadecimal_values_are_read(tmp_path: Path) -> None:
    head = b"NRRD0005\ntype: short\ndimension: 3\nsizes: 2 2 1\nencoding: %s\nendian: big\n\n"
    for encoding, data in ((b"ascii", b"1 -2\n3 32767\n"), (b"hex", b"0001fffe00037fff")):
        folder = tmp_path / encoding.decode()
        folder.mkdir()
        content = read(folder, {"a.nrrd": head % encoding + data})
        kept = sitk.GetArrayFromImage(sitk.ReadImage(content.files[0].path))
        assert kept.ravel().tolist() == [1, -2, 3, 32767]


@pytest.mark.parametrize(
    "space", ["left-posterior-superior", "right-anterior-superior", "LAS", "RAS"]
)
def test_every_space_of_nrrd_becomes_the_same_place(space: str, tmp_path: Path) -> None:
    head = (
        f"NRRD0005\ntype: uchar\ndimension: 3\nspace: {space}\nsizes: 2 3 4\nencoding: raw\n"
        "space directions: (0,2,0) (-1,0,0.5) (0,0,3)\nspace origin: (10,-20,30)\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(head.encode() + bytes(range(24)))
    original = sitk.ReadImage(tmp_path / "a.nrrd")
    kept = sitk.ReadImage(read(tmp_path, {"a": tmp_path / "a.nrrd"}).files[0].path)
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(kept, get)(), getattr(original, get)(), atol=1e-12)


def test_several_volumes_keep_the_tables_order(tmp_path: Path) -> None:
    images = {
        f"{name}.nii": nibabel.Nifti1Image(
            np.full((4, 3, 2), value, np.int16), np.eye(4)
        ).to_bytes()
        for name, value in (("t2", 2), ("t1", 1))
    }
    content = read(tmp_path, dict(images))
    kept = [int(nibabel.load(file.path).dataobj[0, 0, 0]) for file in content.files]
    assert [file.name for file in content.files] == ["0.nii", "1.nii"]
    assert kept == [2, 1]
    assert content.facts["files"] == 2


def test_grid_leads_from_array_indices_to_the_patient(tmp_path: Path) -> None:
    made = itk(volume("i2"))
    sitk.WriteImage(made, tmp_path / "a.nrrd")
    grid = read(tmp_path, {"a.nrrd": tmp_path / "a.nrrd"}).grid
    assert grid is not None
    assert grid.affine is not None
    assert grid.size == (5, 9, 11)
    np.testing.assert_allclose(grid.spacing or (), (2.5, 0.8, 0.7))
    at = np.array(grid.affine) @ [4, 7, 2, 1]  # slice, row, column
    np.testing.assert_allclose(at[:3], made.TransformIndexToPhysicalPoint((2, 7, 4)), atol=1e-9)


@pytest.mark.parametrize(
    ("axes", "plane"),
    [((0, 1, 2), "axial"), ((0, 2, 1), "coronal"), ((1, 2, 0), "sagittal")],
)
def test_plane_of_the_slices_is_a_fact(
    axes: tuple[int, int, int], plane: str, tmp_path: Path
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(axes)]
    image = nibabel.Nifti1Image(volume("i2").T, affine)
    assert read(tmp_path, {"a.nii": image.to_bytes()}).facts["orientation"] == plane


def test_facts_are_those_of_the_array(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume("i2").T, np.diag([0.5, 0.6, 3.0, 1.0]))
    facts = read(tmp_path, {"a.nii.gz": gzip.compress(image.to_bytes())}).facts
    assert (facts["slices"], facts["rows"], facts["columns"]) == (5, 9, 11)
    spacing = [facts[f"{name}_spacing"] for name in ("slice", "row", "column")]
    np.testing.assert_allclose(np.array(spacing, float), (3.0, 0.6, 0.5), rtol=1e-6)


def test_volume_that_does_not_say_where_left_is_is_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume("i2").T, None)
    content = read(tmp_path, {"a.nii": image.to_bytes()})
    assert [finding.code for finding in content.findings] == ["volume.orientation_unknown"]
    assert content.grid is not None
    assert content.grid.affine is None


def test_pixdim_that_the_sform_contradicts_is_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume("i2").T, np.diag([2, 2, 2, 1]))
    made = with_fields(image.to_bytes(), qform_code=0, pixdim=(1, 1, 1, 1))
    content = read(tmp_path, {"a.nii": made})
    assert [finding.code for finding in content.findings] == ["volume.spacing_differs"]
    assert content.facts["row_spacing"] == 2


def test_qform_and_sform_of_different_places_are_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume("i2").T, np.eye(4))
    image.set_qform(np.diag([-1.0, 1, 1, 1]), 1)
    image.set_sform(np.eye(4), 1)
    content = read(tmp_path, {"a.nii": image.to_bytes()})
    assert [finding.code for finding in content.findings] == ["volume.forms_differ"]


def test_volumes_of_different_grids_are_told(tmp_path: Path) -> None:
    images = [
        nibabel.Nifti1Image(volume("i2").T, np.diag([size, 1, 1, 1])).to_bytes() for size in (1, 2)
    ]
    content = read(tmp_path, {"a.nii": images[0], "b.nii": images[1]})
    assert [finding.code for finding in content.findings] == ["volume.grids_differ"]
    assert content.grid is None
