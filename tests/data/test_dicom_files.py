"""What counts as a DICOM image, in which file, and what is left of its headers."""

import io
import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from tests.data.dicom_cases import (
    CT,
    codes,
    ct_slice,
    dicom,
    gradient,
    image,
    read,
    written,
)
from tests.data.test_formats_table import PLACES

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.dicom.originals import BROKEN, is_dicom
from proctor_workers.hidden_data.formats.dicom.quick_headers import quick_header

STORAGE = "1.2.840.10008.5.1.4.1.1."
TESTS = PLACES["pydicom/test_files"]


def bare(syntax: str) -> bytes:
    """Return a data set without preamble and meta information."""
    out = DicomBytesIO()
    out.is_implicit_VR = syntax == ImplicitVRLittleEndian
    out.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(out, image(gradient(dtype="<u1")))
    return out.getvalue()


def without_pixels(sop_class: str) -> bytes:
    dataset = image(SOPClassUID=sop_class)
    del dataset.PixelData
    return dicom(dataset)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_bare_data_set_is_read(tmp_path: Path, syntax: str) -> None:
    (kept,) = written(read(tmp_path, bare(syntax)))

    assert np.array_equal(kept.pixel_array, gradient(dtype="<u1"))


def test_file_without_its_preamble_is_read(tmp_path: Path) -> None:
    (kept,) = written(read(tmp_path, dicom(image())[132:]))

    assert np.array_equal(kept.pixel_array, gradient())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"DICM",
        b"\x08\x00" * 300,
        b"\x08\x00\x05\x00CS\xff\xff" + bytes(200),
        b"P5 10 10 255\n",
    ],
)
def test_other_bytes_are_no_dicom(head: bytes) -> None:
    assert not is_dicom(head, "image.dcm")


def test_canonical_file_is_plain_and_its_preamble_blank(tmp_path: Path) -> None:
    content = read(tmp_path, dicom(image(), ImplicitVRLittleEndian))

    (kept,) = written(content)
    assert kept.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert kept.preamble == bytes(128)
    assert content.files[0].path.stat().st_size == content.files[0].size


def test_quick_headers_are_pydicoms() -> None:
    compared = 0
    for path in sorted(path for folder in PLACES.values() for path in folder.rglob("*")):
        if not path.is_file() or (quick := quick_header(path.read_bytes())) is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = io.BytesIO(path.read_bytes())
            expected = pydicom.dcmread(stream, stop_before_pixels=True)
            header, end = quick
            assert (end, _raw(header)) == (stream.tell(), _raw(expected)), path
            assert header.original_encoding == expected.original_encoding, path
            assert header.original_character_set == expected.original_character_set, path
            assert header.file_meta == expected.file_meta, path
        compared += 1
    assert compared > 150


def _raw(dataset: Dataset) -> list[object]:
    """Return the elements as they were read; pydicom has looked into the character set already."""
    tags = [tag for tag in dataset.keys() if tag != 0x00080005]  # noqa: SIM118 - else it is values
    return [dataset.get_item(tag) for tag in tags]


def test_quick_headers_leave_the_unusual_to_pydicom() -> None:
    content = dicom(image())
    at = content.index(b"\x08\x00\x18\x00UI")

    assert quick_header(content[:at] + b"\x08\x00\x05\x00CS\x02\x00  " + content[at:]) is None
    assert quick_header(content.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00ZZ")) is None


def test_deflated_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "proctor_workers.hidden_data.formats.dicom.originals.LARGEST_INFLATED", 1 << 20
    )
    head = dicom(image(), DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", head, 140)
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(bytes(1 << 22)) + packer.flush()

    with pytest.raises(UnreadableFileError, match="too large once inflated"):
        read(tmp_path, head[: 144 + length] + bomb)


@pytest.mark.parametrize(
    ("sop_class", "what", "cure"),
    [
        ("66.4", "a segmentation", "reference_file"),
        ("88.33", "a structured report", "reference_file"),
        ("481.3", "structures", "reference_file"),
        ("481.5", "a radiotherapy plan", "Leave it out"),
        ("104.1", "document", "Leave it out"),
        ("11.1", "a presentation state", "Leave it out"),
        ("66", "raw data", "Leave it out"),
    ],
)
def test_what_is_no_image_is_refused_by_its_kind(
    tmp_path: Path, sop_class: str, what: str, cure: str
) -> None:
    with pytest.raises(UnreadableFileError, match=what) as refused:
        read(tmp_path, ct_slice(1, 0.0), without_pixels(STORAGE + sop_class))

    assert cure in refused.value.refusal.cure
    assert refused.value.file == "folder/file1"


def test_signals_go_to_their_own_reader(tmp_path: Path) -> None:
    content = read(tmp_path, (TESTS / "waveform_ecg.dcm").read_bytes())

    assert {file.role for file in content.files} == {"signal"}


def test_case_of_images_and_signals_is_refused(tmp_path: Path) -> None:
    ecg = (TESTS / "waveform_ecg.dcm").read_bytes()

    with pytest.raises(UnreadableFileError, match="a case of images and signals"):
        read(tmp_path, ct_slice(1, 0.0), ecg)


def test_image_that_does_not_say_what_it_is_becomes_a_secondary_capture(tmp_path: Path) -> None:
    dataset = image()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        delattr(dataset, keyword)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = True, True
    write_dataset(stream, dataset)

    first, second = written(read(tmp_path, stream.getvalue(), stream.getvalue()))

    assert first.SOPClassUID == STORAGE + "7"
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID


def test_nothing_identifying_is_left_in_headers_sequences_overlays_or_behind_the_pixels(
    tmp_path: Path,
) -> None:
    group = Dataset()
    item = Dataset()
    item.FrameComments, item.FrameAcquisitionDateTime = "JANEDOE", "20260309101500"
    item.StackID, item.InStackPositionNumber = "JANEDOE", 1
    group.FrameContentSequence = [item]
    measures = Dataset()
    measures.PixelSpacing, measures.PatientName = [1, 1], "JANEDOE"
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    scale = Dataset()
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 1, 0, "JANEDOE"
    shared.PixelValueTransformationSequence = [scale]
    region = Dataset()
    region.PhysicalDeltaX, region.RegionDataType = 0.1, 1
    region.add_new(0x00091010, "LO", "JANEDOE")
    dataset = image(
        PerFrameFunctionalGroupsSequence=[group],
        SharedFunctionalGroupsSequence=[shared],
        SequenceOfUltrasoundRegions=[region],
        PatientComments="JANEDOE",
        DoseUnits="JANEDOE",
        ColorSpace="JANEDOE",
        IconImageSequence=[image(gradient(4, 4), PatientName="JANEDOE")],
    )
    dataset.add_new(0x60003000, "OW", b"JANEDOE.")
    dataset.add_new(0x00282000, "OB", b"JANEDOE profile.")
    dataset.add_new(0x7FE11010, "LO", "JANEDOE")
    dataset.add_new(0xFFFCFFFC, "OB", b"JANEDOE.")

    read(tmp_path, dicom(dataset))

    kept = (tmp_path / "canonical" / "0.dcm").read_bytes()
    assert not re.search(rb"JANE|DOE|MRN-77|20260309|101500", kept)


def test_calibration_of_an_ultrasound_image_stays(tmp_path: Path) -> None:
    region = Dataset()
    region.PhysicalDeltaX, region.PhysicalDeltaY, region.PhysicalUnitsXDirection = 0.1, 0.2, 3

    (kept,) = written(read(tmp_path, dicom(image(SequenceOfUltrasoundRegions=[region]))))

    assert kept.SequenceOfUltrasoundRegions[0].PhysicalDeltaY == 0.2


def test_files_of_several_patients_in_one_case_are_told(tmp_path: Path) -> None:
    content = read(tmp_path, ct_slice(1, 0.0), ct_slice(2, 2.0, PatientID="MRN-78"))

    (finding,) = (one for one in content.findings if one.code == "case.several_patients")
    assert finding.severity == "error"
    assert "MRN" not in finding.message


def test_facts_tell_of_the_acquisition(tmp_path: Path) -> None:
    content = read(tmp_path, *(ct_slice(n, 2.0 * n, Manufacturer="Acme") for n in range(3)))

    expected = {
        "format": "dicom", "modality": "CT", "manufacturer": "Acme", "files": 3.0, "slices": 3.0,
        "rows": 24.0, "columns": 20.0, "row_spacing": 0.5, "column_spacing": 0.75,
        "slice_spacing": 2.0, "orientation": "axial", "transfer_syntax": "ExplicitVRLittleEndian",
        "photometric": "MONOCHROME2", "bits_stored": 16.0,
    }  # fmt: skip
    assert expected.items() <= content.facts.items()
    assert content.artefacts["original_compression"] == "none"


def test_origin_of_each_file_is_known(tmp_path: Path) -> None:
    original = ct_slice(7, 0.0)

    (file,) = read(tmp_path, original).files

    assert file.original_uid == "1.2.3.3.7"
    assert len(file.source_sha256) == len(file.decoded_pixel_sha256) == 64
    assert len(file.perceptual_hash) == 16


def test_directory_alone_gives_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "originals" / "IMAGES").mkdir(parents=True)
    for number in range(3):
        path = tmp_path / "originals" / "IMAGES" / f"CT{number}"
        path.write_bytes(ct_slice(number, 2.0 * number))
    directory = directory_of(*(["IMAGES", f"CT{n}"] for n in range(3)))

    content = read(tmp_path, directory, names=["disc/DICOMDIR"])

    assert [file.name for file in content.files] == ["0.dcm", "1.dcm", "2.dcm"]


def test_directory_beside_named_files_is_left_out_and_its_gaps_are_told(tmp_path: Path) -> None:
    directory = directory_of(["IMAGES", "CT0"], ["IMAGES", "CT1"])

    content = read(
        tmp_path, directory, ct_slice(0, 0.0), names=["disc/DICOMDIR", "disc/IMAGES/CT0"]
    )

    assert len(content.files) == 1
    assert "dicomdir.files_missing" in codes(content)


@pytest.mark.parametrize("parts", [["..", "secret"], ["/etc", "passwd"], ["LINK"]])
def test_directory_cannot_name_what_lies_elsewhere(tmp_path: Path, parts: list[str]) -> None:
    (tmp_path / "secret").write_bytes(ct_slice(0, 0.0))
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / "LINK").symlink_to(tmp_path / "secret")

    with pytest.raises(UnreadableFileError, match="DICOMDIR"):
        read(tmp_path, directory_of(parts), names=["DICOMDIR"])


def test_directory_of_several_patients_is_refused(tmp_path: Path) -> None:
    content = (TESTS / "dicomdirtests" / "DICOMDIR").read_bytes()

    with pytest.raises(UnreadableFileError, match="several patients"):
        read(tmp_path, content, names=["DICOMDIR"])


def test_log_says_nothing_of_what_headers_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = image()
    for keyword, vr in (("Modality", "CS"), ("PatientBirthDate", "DA"), ("SeriesNumber", "IS")):
        dataset[keyword] = RawDataElement(
            Tag(keyword), vr, 12, b"jane doe, 77", 0, False, True
        )  # fmt: skip
    dataset.set_original_encoding(False, True, "iso8859")

    with caplog.at_level(0):
        read(tmp_path, dicom(dataset))

    assert "jane" not in caplog.text


def test_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    cases = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        content = read(tmp_path / name, ct_slice(1, 0.0), ct_slice(2, 2.0))
        cases.append([file.sha256 for file in content.files])

    assert cases[0] == cases[1]


def test_makers_own_coding_is_refused_by_its_name(tmp_path: Path) -> None:
    content = dicom(image()).replace(
        b"\x14\x001.2.840.10008.1.2.1\0", b"\x14\x001.2.840.113619.5.2\0\0"
    )

    with pytest.raises(UnreadableFileError, match="an unknown transfer syntax"):
        read(tmp_path, content)


def test_full_disk_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("proctor_workers.hidden_data.formats.dicom.cases.write", full)

    assert OSError not in BROKEN
    with pytest.raises(OSError, match="No space"):
        read(tmp_path, dicom(image()))


def directory_of(*listed: list[str]) -> bytes:
    records = []
    for parts in listed:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        with disable_value_validation():
            record.ReferencedFileID = parts
        record.ReferencedSOPClassUIDInFile = CT
        records.append(record)
    dataset = Dataset()
    dataset.DirectoryRecordSequence = records
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3.8"
    with disable_value_validation():
        return dicom(dataset)
