"""`proctor fingerprint` on files as a vendor has them: DICOM, NIfTI, PNG, JPEG, TIFF and others."""

import hashlib
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from proctor_sdk.cli import main
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.fingerprints.collect import FORM, collect, fingerprint
from proctor_sdk.fingerprints.pixels import detail_hash, perceptual_hash, pixel_digest

CT = Path(str(get_testdata_file("CT_small.dcm")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "deep").mkdir(parents=True)
    (images / "ct").write_bytes(CT.read_bytes())
    pixels = pydicom.dcmread(CT).pixel_array
    volume = np.stack([pixels, np.roll(pixels, 20, axis=1), np.zeros_like(pixels)])
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), images / "deep" / "v.nii.gz")
    Image.fromarray((pixels // 16).astype(np.uint8)).save(images / "shown.png")
    (images / "notes.txt").write_text("no image", "utf-8")
    (images / "broken.dcm").write_bytes(CT.read_bytes()[:2000])
    return images


def look(pixels: np.ndarray) -> str:
    return perceptual_hash(pixels) + detail_hash(pixels)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_file_has_the_digest_of_its_bytes(folder: Path, tmp_path: Path) -> None:
    found = collect(folder, tmp_path / "out.jsonl")

    first, *rest = lines(tmp_path / "out.jsonl")
    assert first == FORM
    assert found.files == len(rest) == 5
    assert {one["source"] for one in rest} == {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found.decoded == 3


def test_dicom_is_known_by_its_bytes_without_an_ending(folder: Path) -> None:
    pixels = pydicom.dcmread(CT).pixel_array
    made = fingerprint(folder / "ct")

    assert made["pixels"] == pixel_digest(pixels)
    assert made["looks"] == [look(pixels)]


def test_a_volume_has_the_digest_of_all_and_the_look_of_each_slice_that_has_one(
    folder: Path,
) -> None:
    pixels = pydicom.dcmread(CT).pixel_array
    made = fingerprint(folder / "deep" / "v.nii.gz")

    assert made["looks"] == [look(pixels), look(np.roll(pixels, 20, axis=1))]
    stored = nibabel.load(folder / "deep" / "v.nii.gz").dataobj.get_unscaled()
    assert made["pixels"] == pixel_digest(np.asarray(stored).T)


def test_a_file_that_is_no_image_or_is_broken_counts_by_its_bytes(folder: Path) -> None:
    for name in ("notes.txt", "broken.dcm"):
        made = fingerprint(folder / name)
        assert (made["pixels"], made["looks"]) == ("", [])


def test_patients_are_taken_from_a_table_each_once(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("patient,age\nP1,3\n P2 ,4\nP1,3\n,5\n", "utf-8")

    found = collect(folder, tmp_path / "out.jsonl", patients=table)

    assert found.patients == 2
    assert lines(tmp_path / "out.jsonl")[-2:] == [{"patient": "P1"}, {"patient": "P2"}]


def test_a_table_without_the_column_is_refused_with_its_cure(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("id\nP1\n", "utf-8")

    with pytest.raises(ProctorSdkError, match="column named patient"):
        collect(folder, tmp_path / "out.jsonl", patients=table)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProctorSdkError, match="holds no files"):
        collect(tmp_path, tmp_path / "out.jsonl")


def test_the_command_prints_what_it_found_and_writes_a_file_to_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "out.jsonl"

    assert main(["fingerprint", str(folder), "--out", str(made)]) == 0
    assert "5 files, 3 of them decoded as images, 0 patients" in capsys.readouterr().out
    assert len(lines(made)) == 6


def test_without_a_folder_and_without_a_made_file_there_is_nothing_to_send(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fingerprint", "--out", str(tmp_path / "none"), "--study", "stu_x"]) == 1
    assert "Name the folder" in capsys.readouterr().err
