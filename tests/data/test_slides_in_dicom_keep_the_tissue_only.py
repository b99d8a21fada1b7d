"""A whole slide in DICOM: its levels' frames as they were, and nothing that names anybody."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openslide
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian
from tests.data.slide_files import NAME, apart, request, to_dicom, write_svs

from proctor_sdk.fingerprints.images import read_pixels
from proctor_sdk.fingerprints.pixels import distance, perceptual_hash, pixel_digest
from proctor_workers.hidden_data.case_files import (
    CaseContent,
    QuarantineError,
    UnreadableFileError,
)
from proctor_workers.hidden_data.formats import slide_frames
from proctor_workers.hidden_data.formats.registry import read_case

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of five instances: two levels, thumbnail, label, overview; a name in many places."""
    folder = tmp_path_factory.mktemp("dicom")
    out = to_dicom(write_svs(folder / "slide.svs"), folder / "out")
    for path in out.iterdir():
        header = pydicom.dcmread(path)
        header.PatientName, header.PatientID = f"{NAME}^ERIKA", "4711-0815"
        header.ContainerIdentifier = header.BarcodeValue = f"S26-{NAME}"
        header.SpecimenDescriptionSequence[0].SpecimenIdentifier = NAME
        header.OpticalPathSequence[0].OpticalPathDescription = NAME
        header.OpticalPathSequence[0].OpticalPathIdentifier = NAME[:16]
        header.ImageComments = header.DeviceSerialNumber = NAME
        header.add_new(0x00091001, "LO", NAME)
        header.save_as(path)
    return out


@pytest.fixture
def instances(converted: Path, tmp_path: Path) -> list[Path]:
    return sorted(Path(shutil.copytree(converted, tmp_path / "case")).iterdir())


def flavour(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).ImageType[2])


def levels(paths: list[Path]) -> list[Path]:
    found = [path for path in paths if flavour(path) == "VOLUME"]
    return sorted(found, key=lambda path: -path.stat().st_size)


def frames(path: Path) -> list[bytes]:
    header = pydicom.dcmread(path)
    count = int(header.NumberOfFrames)
    return [one.rstrip(b"\0") for one in generate_frames(header.PixelData, number_of_frames=count)]


def read(tmp_path: Path, paths: list[Path]) -> CaseContent:
    return read_case(request(tmp_path, *paths))


def test_frames_are_carried_over_as_they_are(instances: list[Path], tmp_path: Path) -> None:
    content = read(tmp_path, instances)

    assert [frames(file.path) for file in content.files] == [
        frames(path) for path in levels(instances)
    ]


def test_openslide_sees_the_same_pixels(instances: list[Path], tmp_path: Path) -> None:
    content = read(tmp_path, instances)
    before = openslide.OpenSlide(levels(instances)[0])
    after = openslide.OpenSlide(content.files[0].path)

    assert before.level_dimensions == after.level_dimensions == ((1500, 1000), (375, 250))
    assert float(after.properties["openslide.mpp-x"]) == pytest.approx(0.499)
    for index, size in enumerate(before.level_dimensions):
        one, other = (np.asarray(s.read_region((0, 0), index, size)) for s in (before, after))
        assert np.array_equal(one, other)


def test_wsidicom_opens_the_result(instances: list[Path], tmp_path: Path) -> None:
    content = read(tmp_path, instances)

    program = (
        "from wsidicom import WsiDicom\n"
        "slide = WsiDicom.open(sys.argv[1:])\n"
        "print([tuple(level.size.to_tuple()) for level in slide.pyramid], slide.labels)"
    )
    said = apart(program, *(file.path for file in content.files))
    assert said.strip() == "[(1500, 1000), (375, 250)] None"


def test_no_planted_name_is_left(instances: list[Path], tmp_path: Path) -> None:
    assert all(NAME.encode() in path.read_bytes() for path in instances)

    for file in read(tmp_path, instances).files:
        content = file.path.read_bytes()
        assert NAME.encode() not in content
        assert b"4711" not in content


def test_one_slide_has_one_digest_as_tiff_and_as_dicom(
    converted: Path, instances: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "tiff").mkdir()
    as_tiff = read(tmp_path / "tiff", [converted.parent / "slide.svs"]).files[0]

    as_dicom = read(tmp_path, instances).files[-1]

    assert as_dicom.decoded_pixel_sha256 == as_tiff.decoded_pixel_sha256 != ""
    assert as_dicom.perceptual_hash == as_tiff.perceptual_hash != ""


def test_a_vendor_who_trained_on_the_slide_has_a_like_picture(
    instances: list[Path], tmp_path: Path
) -> None:
    file = read(tmp_path, instances).files[-1]

    pixels = read_pixels(levels(instances)[-1])

    assert pixels is not None
    assert distance(perceptual_hash(pixels), file.perceptual_hash) <= 2


def test_a_grey_slide_of_16_bits_is_kept_exactly(instances: list[Path], tmp_path: Path) -> None:
    header = pydicom.dcmread(levels(instances)[1])
    grey = np.random.default_rng(1).integers(0, 60_000, (2, 256, 256)).astype("<u2")
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    del header.PlanarConfiguration
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.PixelData = grey.tobytes()
    header["PixelData"].VR = "OW"
    header["PixelData"].is_undefined_length = False
    header.save_as(instances[0])

    file = read(tmp_path, [instances[0]]).files[0]

    assert pydicom.dcmread(file.path).PixelData == grey.tobytes()
    whole = np.concatenate(grey, axis=1)[:250, :375]
    assert file.decoded_pixel_sha256 == pixel_digest(whole)


def test_label_overview_and_thumbnail_are_dropped(instances: list[Path], tmp_path: Path) -> None:
    content = read(tmp_path, instances)

    assert {flavour(file.path) for file in content.files} == {"VOLUME"}
    assert content.actions["associated_images_dropped"] == 3


def test_uids_are_ordinals_and_relations_stay(instances: list[Path], tmp_path: Path) -> None:
    one, other = (pydicom.dcmread(file.path) for file in read(tmp_path, instances).files)

    assert one.SeriesInstanceUID == other.SeriesInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert all(len(str(header[keyword].value)) < 10 for header in (one, other) for keyword in UIDS)


def test_a_label_only_case_is_refused(instances: list[Path], tmp_path: Path) -> None:
    label = [path for path in instances if flavour(path) == "LABEL"]

    with pytest.raises(UnreadableFileError, match="only label or overview"):
        read(tmp_path, label)


def change(path: Path, **values: object) -> Path:
    header = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(header, keyword, value)
    header.save_as(path)
    return path


def test_a_label_in_the_picture_goes_to_a_person(instances: list[Path], tmp_path: Path) -> None:
    change(levels(instances)[0], SpecimenLabelInImage="YES")

    with pytest.raises(QuarantineError, match="label in its picture"):
        read(tmp_path, instances)


def test_a_label_called_a_level_goes_to_a_person(instances: list[Path], tmp_path: Path) -> None:
    for path in instances:
        if flavour(path) == "LABEL":
            kinds = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
            change(path, ImageType=kinds, SpecimenLabelInImage="NO")

    with pytest.raises(QuarantineError, match="another shape"):
        read(tmp_path, instances)


def noted(path: Path) -> Path:
    """Put a comment into every frame."""
    header = pydicom.dcmread(path)
    text = NAME.encode()
    comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text
    header.PixelData = encapsulate([one[:2] + comment + one[2:] for one in frames(path)])
    header.save_as(path)
    return path


def test_comments_in_frames_are_gone(instances: list[Path], tmp_path: Path) -> None:
    expected = [frames(path) for path in levels(instances)]
    for path in levels(instances):
        noted(path)

    content = read(tmp_path, instances)

    assert [frames(file.path) for file in content.files] == expected


def test_frames_beyond_four_gibibytes_get_the_extended_table(
    instances: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_frames, "LARGEST_BASIC", 1000)

    content = read(tmp_path, instances)

    header = pydicom.dcmread(content.files[0].path)
    table = header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths
    found = generate_frames(header.PixelData, number_of_frames=24, extended_offsets=table)
    assert [one.rstrip(b"\0") for one in found] == frames(levels(instances)[0])
    before, after = (
        openslide.OpenSlide(path).read_region((0, 0), 0, (1500, 1000))
        for path in (levels(instances)[0], content.files[0].path)
    )
    assert np.array_equal(np.asarray(before), after)


def test_frames_in_fragments_are_joined(instances: list[Path], tmp_path: Path) -> None:
    path = levels(instances)[0]
    expected = frames(path)
    header = pydicom.dcmread(path)
    header.PixelData = encapsulate(expected, fragments_per_frame=3)
    header.save_as(path)

    content = read(tmp_path, [path])

    assert frames(content.files[0].path) == expected


def test_uncompressed_frames_are_kept_exactly(instances: list[Path], tmp_path: Path) -> None:
    path = levels(instances)[0]
    header = pydicom.dcmread(path)
    header.decompress()
    header.save_as(path)

    file = read(tmp_path, [path]).files[0]

    assert pydicom.dcmread(file.path).PixelData == header.PixelData
    one, other = (
        openslide.OpenSlide(at).read_region((0, 0), 0, (1500, 1000)) for at in (path, file.path)
    )
    assert np.array_equal(np.asarray(one), other)


def sparse(path: Path) -> Iterator[Dataset]:
    for index in range(24):
        place = Dataset()
        place.ColumnPositionInTotalImagePixelMatrix = index % 6 * 256 + 1
        place.RowPositionInTotalImagePixelMatrix = index // 6 * 256 + 1
        group = Dataset()
        group.PlanePositionSlideSequence = [place]
        yield group


def test_frames_that_say_where_they_lie_still_do(instances: list[Path], tmp_path: Path) -> None:
    path = levels(instances)[0]
    before = openslide.OpenSlide(path).read_region((0, 0), 0, (1500, 1000))
    change(path, DimensionOrganizationType="TILED_SPARSE",
           PerFrameFunctionalGroupsSequence=list(sparse(path)))  # fmt: skip

    after = openslide.OpenSlide(read(tmp_path, [path]).files[0].path)

    assert np.array_equal(np.asarray(before), after.read_region((0, 0), 0, (1500, 1000)))


def test_broken_instances_are_refused(instances: list[Path], tmp_path: Path) -> None:
    path = levels(instances)[0]
    good = path.read_bytes()
    for length in (300, 1000, 5000, len(good) // 2, len(good) - 9):
        path.write_bytes(good[:length])
        with pytest.raises(UnreadableFileError):
            read(tmp_path, [path])


@pytest.mark.parametrize(
    "values",
    [
        {"NumberOfFrames": 4_000_000},
        {"Rows": 65_535},
        {"TotalPixelMatrixColumns": 4_000_000_000},
        {"SamplesPerPixel": 7},
        {"NumberOfFrames": 23},
    ],
)
def test_sizes_that_lie_are_refused(
    values: dict[str, int], instances: list[Path], tmp_path: Path
) -> None:
    changed = [change(path, **values) for path in levels(instances)]

    with pytest.raises(UnreadableFileError):
        read(tmp_path, changed)


def test_flipped_bytes_give_a_slide_or_a_refusal(instances: list[Path], tmp_path: Path) -> None:
    path = levels(instances)[1]
    good = path.read_bytes()
    draw = np.random.default_rng(7)
    outcomes = set()
    for _ in range(60):
        changed = bytearray(good)
        for at in draw.integers(132, 6000, 4):
            changed[at] = draw.integers(256)
        path.write_bytes(changed)
        shutil.rmtree(tmp_path / "canonical", ignore_errors=True)
        try:
            read(tmp_path, [path])
            outcomes.add("read")
        except UnreadableFileError as exc:
            outcomes.add(exc.file)

    assert outcomes == {"read", path.name}
