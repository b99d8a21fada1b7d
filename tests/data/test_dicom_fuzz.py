"""Whatever happens to a file's bytes, it is read or refused by name: no crash, no hang."""

import struct
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian
from tests.data.dicom_cases import ct_slice, dicom, image, read
from tests.data.foreign_files import tampered
from tests.data.test_formats_table import PLACES

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.dicom.frame_sizes import frame_size

TESTS = PLACES["pydicom/test_files"]
SMALL = [
    "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_small_odd.dcm", "SC_ybr_full_422_uncompressed.dcm", "JPGExtended.dcm", "image_dfl.dcm",
    "rtdose_rle.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm", "reportsi.dcm", "rtstruct.dcm",
    "dicomdirtests/DICOMDIR-nopatient", "waveform_ecg.dcm",
]  # fmt: skip
CONTENTS = {name: (TESTS / name).read_bytes() for name in SMALL}
FUZZED = settings(
    deadline=10_000, max_examples=12, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def outcome(content: bytes, **form: str) -> str:
    """Read one file; whatever is neither read nor refused by its name is raised."""
    with TemporaryDirectory() as folder:
        try:
            read(Path(folder), content, names=["a/name"], **form)
        except UnreadableFileError as refused:
            error = refused
        else:
            return "read"
    assert error.file.startswith("a/")
    assert error.refusal.cure
    return error.refusal.what


@pytest.mark.parametrize("name", SMALL)
@given(data=st.data())
@FUZZED
def test_tampered_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    outcome(data.draw(tampered(CONTENTS[name])))


@given(end=st.integers(0, 10_000))
@settings(FUZZED, max_examples=60)
def test_cut_file_is_refused(end: int) -> None:
    content = CONTENTS["MR_small.dcm"]

    assert outcome(content[: min(end, len(content) - 200)]) != "read"


@given(st.binary(max_size=400))
@settings(FUZZED, max_examples=100)
def test_noise_behind_the_magic_is_refused(noise: bytes) -> None:
    assert outcome(bytes(128) + b"DICM" + noise) != "read"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70",
                                    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
                                    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5"])  # fmt: skip
@given(
    frame=st.binary(max_size=300),
    head=st.sampled_from(
        [b"", b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ", b"\xff\xd8\xff"]
    ),
)
@settings(FUZZED, max_examples=60)
def test_frame_of_noise_has_a_size_or_is_refused(syntax: str, head: bytes, frame: bytes) -> None:
    with suppress(UnreadableFileError):
        frame_size(head + frame, UID(syntax))


@pytest.mark.parametrize("depth", [10, 900, 20_000])
@pytest.mark.parametrize("length", [0xFFFFFFFF, 8])
def test_deeply_nested_sequences_are_no_way_to_fail(depth: int, length: int) -> None:
    content = dicom(image())
    at = content.index(b"\x08\x00\x60\x00CS")
    item = b"\x08\x00\x40\x11SQ\0\0" + struct.pack("<I", length) + b"\xfe\xff\x00\xe0"
    nested = (item + struct.pack("<I", length)) * depth

    outcome(content[:at] + nested + content[at:])


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0xFFFFFFFF, "has compressed pixels and does not say how"),
        (0x7FFFFFFF, "read"),  # all pixels are there
        (1, "has fewer pixels than its header says"),
    ],
)
def test_length_that_lies_costs_no_memory(length: int, expected: str) -> None:
    content = ct_slice(1, 0.0)
    at = content.index(b"\xe0\x7f\x10\x00OW")

    assert outcome(content[: at + 8] + struct.pack("<I", length) + content[at + 12 :]) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient",
                             "RescaleSlope", "InstanceNumber", "SeriesNumber", "NumberOfFrames",
                             "SliceThickness", "WindowCenter", "GridFrameOffsetVector"]),
            st.sampled_from(["", "nan", "inf\\0\\0", "1e999\\1\\1", "0\\0\\0\\0\\0\\0", "-1\\-1",
                             "9" * 16, "a\\b\\c", "1\\" * 3000 + "1", "0"]),
        ), max_size=3,
    ),
    st.sampled_from(["native", "nifti", "nrrd"]),
)  # fmt: skip
@settings(FUZZED, max_examples=80)
def test_senseless_numbers_are_read_or_refused(
    elements: list[tuple[str, str]], volumes: str
) -> None:
    dataset = image()
    for keyword, text in elements:
        vr = "IS" if keyword in {"InstanceNumber", "SeriesNumber", "NumberOfFrames"} else "DS"
        tag = Tag(keyword)
        raw = text.encode() + b" " * (len(text) % 2)
        dataset[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)

    dataset.set_original_encoding(False, True, "iso8859")  # raw elements are written as they are

    outcome(dicom(dataset), volumes=volumes)


@pytest.mark.parametrize(
    ("syntax", "order", "patient"),
    [
        (ExplicitVRLittleEndian, "<", b"\x10\x00\x10\x00"),
        (ExplicitVRBigEndian, ">", b"\x00\x10\x00\x10"),
    ],
)
def test_countless_empty_headers_are_refused_before_they_fill_the_memory(
    syntax: str, order: str, patient: bytes
) -> None:
    content = dicom(image(), syntax)
    at = content.index(patient)
    empty = b"".join(struct.pack(f"{order}HH2sH", 9, n, b"LO", 0) for n in range(20_000))

    assert outcome(content[:at] + empty + content[at:]) == "has more headers than an image has"
