"""Damaged, hostile and unfit volumes are refused with a cure, quickly and in bounded memory."""

import gzip
import struct
import time
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  the name that its users know
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.foreign_files import most_memory, outcome, read, tampered

from proctor_workers.hidden_data.case_files import CanonicalForm, UnreadableFileError

VALUES = np.random.default_rng(5).normal(0, 300, (5, 9, 11)).astype(np.int16)
NIFTI: bytes = nibabel.Nifti1Image(VALUES.T, np.diag([1, 1, 2, 1])).to_bytes()
NIFTI_2: bytes = nibabel.Nifti2Image(VALUES.T.astype(np.float32), np.eye(4)).to_bytes()
NRRD_HEAD = (
    b"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 11 9 5\n"
    b"space directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (0,0,0)\nendian: little\n"
)
NRRD = NRRD_HEAD + b"encoding: gzip\n\n" + gzip.compress(VALUES.tobytes())
NRRD_TEXT = b"NRRD0004\ntype: short\ndimension: 2\nsizes: 3 2\nencoding: ascii\n\n1 2 3 -4 5 6\n"
META_HEAD = b"ObjectType = Image\nNDims = 3\nDimSize = 11 9 5\nElementType = MET_SHORT\n"
META = (
    META_HEAD
    + b"CompressedData = True\nElementDataFile = LOCAL\n"
    + zlib.compress(VALUES.tobytes())
)
WHOLE = {
    "a.nii": NIFTI,
    "b.nii": NIFTI_2,
    "a.nii.gz": gzip.compress(NIFTI),
    "a.nrrd": NRRD,
    "t.nrrd": NRRD_TEXT,
    "a.mha": META,
}


ANY_TAMPERED = st.sampled_from(sorted(WHOLE)).flatmap(
    lambda name: st.tuples(st.just(name), tampered(WHOLE[name]))
)


def with_field(at: int, code: str, *values: float) -> bytes:
    """Return the NIfTI-1 file with a header field overwritten."""
    content = bytearray(NIFTI)
    struct.pack_into(f"<{code}", content, at, *values)
    return bytes(content)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_tampered_with_below_is_read_when_whole(name: str) -> None:
    assert outcome({name: WHOLE[name]}) == "read"


@settings(
    max_examples=150,
    deadline=10_000,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(ANY_TAMPERED, st.sampled_from(["native", "nifti", "nrrd"]))
def test_tampered_file_is_read_or_refused(file: tuple[str, bytes], form: str) -> None:
    name, content = file
    assert outcome({name: content}, CanonicalForm(volumes=form))


@settings(max_examples=60, deadline=10_000, derandomize=True)
@given(tampered(NRRD_HEAD + b"encoding: raw\ndata file: a.raw\n"), tampered(VALUES.tobytes()))
def test_tampered_detached_header_is_read_or_refused(header: bytes, data: bytes) -> None:
    assert outcome({"a.nhdr": header, "a.raw": data})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (with_field(40, "8h", 4, 11, 9, 5, 3, 1, 1, 1), "several volumes in one file"),
        (with_field(40, "8h", 3, 11, 9, 0, 1, 1, 1, 1), "no voxels"),
        (with_field(40, "8h", 3, 11, 9, -5, 1, 1, 1, 1), "no voxels"),
        (with_field(40, "8h", 9, 11, 9, 5, 1, 1, 1, 1), "damaged"),
        (with_field(40, "8h", 3, 32767, 32767, 32767, 1, 1, 1, 1), "too large"),
        (with_field(70, "2h", 32, 64), "complex values"),
        (with_field(70, "2h", 128, 24), "colours"),
        (with_field(70, "2h", 1, 1), "one-bit values"),
        (with_field(108, "f", float("nan")), "damaged"),
        (with_field(108, "f", 1e9), "damaged"),
        (with_field(280, "4f", float("nan"), 0, 0, 0), "no size or direction"),
        (with_field(280, "12f", *[0.0] * 12), "no size or direction"),
        (NIFTI[:-1], "fewer values"),
        (NIFTI[:340], "unknown format"),
    ],
)
def test_unfit_nifti_is_refused(content: bytes, what: str) -> None:
    assert what in outcome({"a.nii": content})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (META_HEAD.replace(b"NDims = 3", b"NDims = 4").replace(b"9 5", b"9 5 2")
         + b"ElementDataFile = LOCAL\n" + bytes(1980), "several volumes"),
        (META_HEAD + b"ElementNumberOfChannels = 3\nElementDataFile = LOCAL\n", "several values"),
        (META_HEAD + b"ElementDataFile = LIST\n", "in many files"),
        (META_HEAD + b"ElementDataFile = %03d.raw 1 5 1\n", "in many files"),
        (META_HEAD + b"Offset = 1 1 nan\nElementDataFile = LOCAL\n", "cannot be understood"),
        (META_HEAD + b"ElementDataFile = LOCAL\n", "fewer values"),
    ],
)  # fmt: skip
def test_unfit_metaimage_is_refused(content: bytes, what: str) -> None:
    assert what in outcome({"a.mha": content})


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\secret.raw", "https://x/y.raw", "b.raw"]
)
def test_header_cannot_reach_a_file_outside_its_case(name: str) -> None:
    header = NRRD_HEAD + b"encoding: raw\ndata file: " + name.encode() + b"\n"
    assert "not listed beside it" in outcome({"a.nhdr": header})
    meta = META_HEAD + b"ElementDataFile = " + name.encode() + b"\n"
    assert "not listed beside it" in outcome({"a.mhd": meta})


def test_header_without_its_image_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VALUES.T, np.eye(4)), tmp_path / "a.img")
    assert "not listed" in outcome({"a.hdr": tmp_path / "a.hdr"})
    assert "header is not listed" in outcome({"a.img": tmp_path / "a.img"})


def test_data_that_no_header_names_is_refused() -> None:
    assert "named by no header" in outcome({"a.nii": NIFTI, "b.raw": b"1234"})


def test_scale_that_nrrd_cannot_hold_is_refused_with_the_form_that_can() -> None:
    image = nibabel.Nifti1Image(VALUES.T, np.eye(4))
    image.header.set_slope_inter(2, 0)
    assert "no place" in outcome({"a.nii": image.to_bytes()}, CanonicalForm(volumes="nrrd"))


def test_refusal_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        read(tmp_path, {"x/good.nii": NIFTI, "x/cut.nii": NIFTI[:400]})
    assert caught.value.file == "x/cut.nii"
    assert caught.value.refusal.cure


def test_gzip_of_several_members_is_read() -> None:
    parts = [gzip.compress(NIFTI[at : at + 300]) for at in range(0, len(NIFTI), 300)]
    assert outcome({"a.nii.gz": b"".join(parts)}) == "read"


@pytest.mark.parametrize("rest", [b"\0" * 512, b"garbage", gzip.compress(bytes(10_000), mtime=0)])
def test_bytes_behind_the_values_do_not_matter(rest: bytes, tmp_path: Path) -> None:
    for position, content in enumerate((NIFTI + rest, gzip.compress(NIFTI) + rest)):
        folder = tmp_path / str(position)
        folder.mkdir()
        name = "a.nii" if position == 0 else "a.nii.gz"
        kept = read(folder, {name: content}).files[0].path.read_bytes()
        assert kept[352:] == VALUES.tobytes()


def test_damaged_gzip_is_refused() -> None:
    packed = bytearray(gzip.compress(NIFTI))
    packed[len(packed) // 2] ^= 255
    assert "damaged" in outcome({"a.nii.gz": bytes(packed)})
    assert "fewer values" in outcome({"a.nii.gz": gzip.compress(NIFTI)[:-400]})


def test_gzip_bomb_is_unpacked_no_further_than_its_header_says() -> None:
    stream = zlib.compressobj(9, wbits=31)
    bomb = stream.compress(NIFTI) + b"".join(stream.compress(bytes(1 << 24)) for _ in range(16))
    bomb += stream.flush()
    begun = time.process_time()
    assert outcome({"a.nii.gz": bomb}) == "read"
    assert time.process_time() - begun < 1
    assert most_memory({"a.nii.gz": bomb}) < 8


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_header_that_promises_more_than_its_bytes_can_hold_asks_for_no_memory(name: str) -> None:
    huge = {
        "a.nii.gz": gzip.compress(with_field(40, "8h", 3, 32000, 32000, 2, 1, 1, 1, 1)),
        "a.nrrd": NRRD.replace(b"11 9 5", b"32000 32000 2"),
        "a.mha": META.replace(b"11 9 5", b"32000 32000 2"),
    }[name]
    assert "fewer values" in outcome({name: huge})
    assert most_memory({name: huge}) < 8


def test_vectors_are_refused(tmp_path: Path) -> None:
    vectors = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.float32), isVector=True)
    for ending in ("nrrd", "mha"):
        sitk.WriteImage(vectors, tmp_path / f"a.{ending}")
        assert "several" in outcome({f"a.{ending}": tmp_path / f"a.{ending}"})


@pytest.mark.parametrize("name", ["scan.PAR", "scan.rec"])
def test_philips_export_is_refused_with_a_cure(name: str) -> None:
    assert "header is not listed" in outcome({name: b"# === DATA DESCRIPTION FILE ==="})
