"""Nothing but geometry and values is in a canonical volume, wherever a name was planted."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  the name that its users know
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tests.data.foreign_files import read, with_fields

from proctor_workers.hidden_data.case_files import CanonicalForm, QuarantineError
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Deidentification, Faces

SECRET = b"VANDERBILT"
HEAD = Path("/usr/share/mricron/templates/ch2.nii.gz")
FORMS = ("native", "nifti", "nrrd")
VALUES = np.random.default_rng(5).integers(0, 900, (6, 20, 24), dtype=np.int16)


def nifti_with_secrets() -> bytes:
    image = nibabel.Nifti1Image(VALUES.T, np.diag([1, 1, 2, 1]))
    for name in ("descrip", "aux_file", "intent_name", "data_type", "db_name"):
        image.header[name] = SECRET
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", SECRET * 9))
    header = nibabel.Nifti1Header.from_header(image.header)
    header["toffset"], header["cal_max"] = 20261121, 1984  # a date, a birth year
    header["pixdim"][5:] = 1984
    made = nibabel.Nifti1Image(VALUES.T, image.affine, header).to_bytes()
    return made + b"trailing " + SECRET


def nrrd_with_secrets() -> bytes:
    fields = (
        "NRRD0005", f"# {SECRET.decode()}", f"content: {SECRET.decode()}", "type: short",
        "dimension: 3", "space: right-anterior-superior", "sizes: 24 20 6",
        "space directions: (1,0,0) (0,1,0) (0,0,2)", "space origin: (0,0,0)",
        f'labels: "{SECRET.decode()}" "b" "c"', "encoding: gzip", "endian: little",
        f"PatientName:={SECRET.decode()}", f"{SECRET.decode()}: 1",
    )  # fmt: skip
    return "\n".join(fields).encode() + b"\n\n" + gzip.compress(VALUES.tobytes()) + SECRET


def metaimage_with_secrets(folder: Path) -> bytes:
    image = sitk.GetImageFromArray(VALUES)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetMetaData("PatientName", SECRET.decode())
    sitk.WriteImage(image, folder / "a.mha")
    written = (folder / "a.mha").read_bytes()
    return written.replace(b"NDims", b"Comment = " + SECRET + b"\nNDims", 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_planted_name_is_gone(name: str, form: str, tmp_path: Path) -> None:
    content = {
        "a.nii": nifti_with_secrets,
        "a.nii.gz": lambda: gzip.compress(nifti_with_secrets()),
        "a.nrrd": nrrd_with_secrets,
        "a.mha": lambda: metaimage_with_secrets(tmp_path),
    }[name]()
    assert SECRET in (gzip.decompress(content) if name.endswith("gz") else content)
    kept = read(tmp_path, {name: content}, CanonicalForm(volumes=form))
    assert SECRET not in kept.files[0].path.read_bytes()
    assert kept.actions["metadata.dropped"] > 0
    read_back = sitk.GetArrayFromImage(sitk.ReadImage(kept.files[0].path))
    np.testing.assert_array_equal(read_back, VALUES)


def test_header_depends_on_geometry_and_type_alone(tmp_path: Path) -> None:
    heads = []
    for name, made in (("secrets", nifti_with_secrets()), ("plain", plain())):
        folder = tmp_path / name
        folder.mkdir()
        heads.append(read(folder, {"a.nii": made}).files[0].path.read_bytes()[:352])
    assert heads[0] == heads[1]


def test_fields_that_mean_nothing_hold_nothing(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VALUES.T, np.diag([1, 1, 2, 1]))
    quaternion = dict.fromkeys((f"quatern_{one}" for one in "bcd"), 1984.0)
    offset = dict.fromkeys((f"qoffset_{one}" for one in "xyz"), 1984.0)
    made = with_fields(
        image.to_bytes(), qform_code=0, sform_code=1984, pixdim=[1984.0], **quaternion, **offset
    )
    content = read(tmp_path, {"a.nii": made})
    kept = nibabel.load(content.files[0].path)
    assert not any((np.asarray(kept.header[name]) == 1984).any() for name in kept.header)
    np.testing.assert_array_equal(kept.affine, image.affine)


def plain() -> bytes:
    made: bytes = nibabel.Nifti1Image(VALUES.T, np.diag([1, 1, 2, 1])).to_bytes()
    return made


def test_text_burned_into_a_stack_that_lies_turned_is_found(tmp_path: Path) -> None:
    # dcm2niix stores rows from the bottom: text reads upside down, and mirrored in RAS.
    image = nibabel.Nifti1Image(lettered()[:, ::-1, ::-1].T, np.diag([1, 1, 1, 1]))
    plan = Deidentification(burned_in=BurnedIn.QUARANTINE)
    with pytest.raises(QuarantineError):
        read(tmp_path, {"a.nii": image.to_bytes()}, plan=plan)


def test_blanked_text_lies_where_it_was_in_the_file(tmp_path: Path) -> None:
    stored = lettered()[:, ::-1, ::-1]
    image = nibabel.Nifti1Image(stored.T, np.diag([1, 1, 1, 1]))
    kept = read(
        tmp_path, {"a.nii": image.to_bytes()}, plan=Deidentification(burned_in=BurnedIn.BLANK)
    )
    after = np.asanyarray(nibabel.load(kept.files[0].path).dataobj).T
    changed = np.argwhere((after != stored).any(axis=0))
    assert changed.min(axis=0).tolist() > [200, 150]  # letters stood at the top left, upright
    assert (after == 2000).sum() == 0
    assert kept.actions["pixels.blanked"] == 1


def lettered() -> NDArray[np.int16]:
    """Return three axial slices as on a screen, with a name at the top left of each."""
    picture = Image.new("I;16", (400, 300), 100)
    ImageDraw.Draw(picture).text(
        (10, 10), "VANDERBILT ANNE", fill=2000, font=ImageFont.load_default(size=24)
    )
    return np.stack([np.asarray(picture).astype(np.int16)] * 3)


def test_face_is_removed_and_the_brain_kept(tmp_path: Path) -> None:
    kept = read(tmp_path, {"ch2.nii.gz": HEAD}, plan=Deidentification(faces=Faces.REMOVE))
    before = np.asanyarray(nibabel.load(HEAD).dataobj)
    after = np.asanyarray(nibabel.load(kept.files[0].path).dataobj)
    brain = np.asanyarray(nibabel.load(HEAD.with_name("ch2bet.nii.gz")).dataobj) > 0
    assert kept.actions["faces.removed"] == 1
    assert (before != after).any()
    np.testing.assert_array_equal(after[brain], before[brain])


def test_face_of_a_scaled_volume_gets_the_airs_stored_value(tmp_path: Path) -> None:
    image = nibabel.load(HEAD)
    stored = np.asanyarray(image.dataobj).astype(np.int16) * 2 + 1000
    made = nibabel.Nifti1Image(stored, image.affine)
    made.header.set_slope_inter(0.5, -500)
    kept = read(tmp_path, {"a.nii": made.to_bytes()}, plan=Deidentification(faces=Faces.REMOVE))
    after = nibabel.load(kept.files[0].path).dataobj.get_unscaled()
    assert set(np.unique(after[after != stored])) == {1000}
