"""A planted name is in no byte of a canonical file, wherever in the original it stood."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.data import signal_files, slide_files
from tests.data.deidentify_files import (
    NAME,
    all_bytes,
    image,
    nested,
    request,
    stands_in,
    written,
)

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.deidentify.headers import GRANTABLE
from proctor_workers.hidden_data.deidentify.profile import Deidentification, Option
from proctor_workers.hidden_data.formats.registry import read_case

EVERYTHING = Deidentification(
    options=frozenset(Option) - {Option.CLEAN_PIXEL_DATA},
    headers=GRANTABLE,
    private_tags=("0099,01 ZQX CREATOR", "0099,02 ZQX CREATOR"),
)
SEQUENCES = (
    "RequestAttributesSequence", "ContentSequence", "PerFrameFunctionalGroupsSequence",
    "RadiopharmaceuticalInformationSequence", "SequenceOfUltrasoundRegions", "VOILUTSequence",
    "RealWorldValueMappingSequence", "AcquisitionContextSequence", "GraphicAnnotationSequence",
    "DimensionIndexSequence",
)  # fmt: skip
PIXELS = (np.arange(64 * 96) % 251).astype(np.uint8).reshape(64, 96)


def in_private_tags(path: Path) -> Path:
    ds = image()
    block = ds.private_block(0x0099, "ZQX CREATOR", create=True)
    for element, vr, value in ((1, "LO", NAME), (2, "SH", NAME), (3, "OB", NAME.encode() + b" "),
                               (4, "SQ", nested())):  # fmt: skip
        block.add_new(element, vr, value)
    ds.PatientName = NAME
    return written(ds, path)


def in_a_private_creator(path: Path) -> Path:
    ds = image()
    ds.private_block(0x0099, f"{NAME} 1957", create=True).add_new(1, "IS", "5")
    return written(ds, path)


def in_items_at_depth(path: Path) -> Path:
    ds = image()
    for keyword in SEQUENCES:
        setattr(ds, keyword, nested(4))
    return written(ds, path)


def in_a_unit_of_measurement(path: Path) -> Path:
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = NAME, "UCUM", f"{NAME} JANE"
    mapping.MeasurementUnitsCodeSequence = Sequence([unit])
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 4095
    mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, 1.0
    return written(image(RealWorldValueMappingSequence=Sequence([mapping])), path)


def in_words_of_codes(path: Path) -> Path:
    ds = image(PatientName=NAME, BodyPartExamined=NAME, ViewPosition=NAME, RescaleType=NAME,
               ImageType=["ORIGINAL", "PRIMARY", NAME], StationName=NAME, SoftwareVersions=NAME,
               EthnicGroup=NAME, ConvolutionKernel=NAME)  # fmt: skip
    return written(ds, path)


def in_an_overlay(path: Path) -> Path:
    ds = image(PatientName=NAME)
    for element, vr, value in (
        (0x0010, "US", 32), (0x0011, "US", 48), (0x0022, "LO", NAME), (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]), (0x0100, "US", 1), (0x0102, "US", 0), (0x1500, "LO", NAME),
        (0x4000, "LT", NAME), (0x3000, "OW", (NAME.encode() * 40)[:192]),
    ):  # fmt: skip
        ds.add_new((0x6000, element), vr, value)
    return written(ds, path)


def in_unused_high_bits(path: Path) -> Path:
    ds = image()
    pixels = np.frombuffer(ds.PixelData, "<u2").copy()
    bits = np.unpackbits(np.frombuffer((NAME * 9).encode(), np.uint8))
    pixels[: bits.size] |= bits.astype("<u2") << 15
    ds.PixelData = pixels.tobytes()
    return written(ds, path)


def in_the_preamble(path: Path) -> Path:
    return written(image(), path, preamble=NAME.encode().ljust(128, b"\0"))


def after_the_pixels(path: Path) -> Path:
    ds = image()
    ds.PixelData += NAME.encode() + b" "
    ds["PixelData"].VR = "OW"
    ds.DataSetTrailingPadding = NAME.encode() + b" "
    written(ds, path)
    path.write_bytes(path.read_bytes() + NAME.encode())
    return path


def in_the_file_meta(path: Path) -> Path:
    written(image(), path)
    content = path.read_bytes()
    extra = b"\x02\x00\x16\x00AE" + struct.pack("<H", 8) + NAME.ljust(8).encode()
    meta = struct.unpack_from("<I", content, 140)[0] + len(extra)
    path.write_bytes(content[:140] + struct.pack("<I", meta) + content[144:144 + meta - len(extra)]
                     + extra + content[144 + meta - len(extra):])  # fmt: skip
    return path


def in_a_nifti_header(path: Path) -> Path:
    volume = nibabel.Nifti1Image(PIXELS.reshape(16, 16, 24).astype(np.int16), np.eye(4))
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        volume.header[field] = NAME.encode()
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    path = path.with_suffix(".nii")
    nibabel.save(volume, path)
    path.write_bytes(path.read_bytes() + NAME.encode())
    return path


def in_an_nrrd_header(path: Path) -> Path:
    path = path.with_suffix(".nrrd")
    header = (
        f"NRRD0004\n# {NAME}\ntype: uint8\ndimension: 3\nsizes: 16 16 24\nencoding: raw\n"
        f"space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
        f"space origin: (0,0,0)\ncontent: {NAME}\nPatient:={NAME}\n\n"
    )
    path.write_bytes(header.encode() + PIXELS.tobytes())
    return path


def in_a_metaimage_header(path: Path) -> Path:
    path = path.with_suffix(".mha")
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nComment = {NAME}\n"
        f"PatientName = {NAME}\n"
        "BinaryDataByteOrderMSB = False\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        "ElementSpacing = 1 1 1\nDimSize = 16 16 24\nElementType = MET_UCHAR\n"
        "ElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + PIXELS.tobytes())
    return path


def exif() -> bytes:
    told = Image.Exif()
    told[0x010E], told[0x013B], told[0x8298] = NAME, NAME, NAME
    return told.tobytes()


def in_png_chunks(path: Path) -> Path:
    path = path.with_suffix(".png")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Patient", NAME)
    texts.add_text("Comment", NAME, zip=True)
    texts.add_itxt("Title", NAME)
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", pnginfo=texts, exif=exif())
    content = out.getvalue()
    chunk = b"prVt" + NAME.encode()
    private = struct.pack(">I", len(NAME)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = content.rindex(b"\0\0\0\0IEND")
    path.write_bytes(content[:end] + private + content[end:] + NAME.encode())
    return path


def in_jpeg_segments(path: Path) -> Path:
    path = path.with_suffix(".jpg")
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", exif=exif(), comment=NAME.encode())
    content = out.getvalue()
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + f"<x>{NAME}</x>".encode()
    segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    path.write_bytes(content[:2] + segment + content[2:] + NAME.encode())
    return path


def in_tiff_tags(path: Path) -> Path:
    path = path.with_suffix(".tif")
    tifffile.imwrite(
        path, PIXELS, description=NAME, software=NAME, metadata=None,
        extratags=[(315, "s", 0, NAME, True), (316, "s", 0, NAME, True),
                   (65000, "s", 0, NAME, True), (269, "s", 0, NAME, True)],
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + NAME.encode())
    return path


def in_the_files_own_name(path: Path) -> Path:
    return written(image(), path.with_name(f"{NAME}_19570321.dcm"))


PLANTED = (
    in_private_tags, in_a_private_creator, in_items_at_depth, in_a_unit_of_measurement,
    in_words_of_codes, in_an_overlay, in_unused_high_bits, in_the_preamble, after_the_pixels,
    in_the_file_meta, in_a_nifti_header, in_an_nrrd_header, in_a_metaimage_header, in_png_chunks,
    in_jpeg_segments, in_tiff_tags, in_the_files_own_name,
)  # fmt: skip


@pytest.mark.parametrize("profile", [Deidentification(), EVERYTHING], ids=["default", "everything"])
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_name_is_in_no_byte_of_the_canonical_file(
    plant: Callable[[Path], Path], profile: Deidentification, tmp_path: Path
) -> None:
    path = plant(tmp_path / "planted.dcm")
    asked = request(tmp_path, path, deidentification=profile)
    content = read_case(asked)
    assert not stands_in(NAME, all_bytes(asked.folder))
    assert not any(NAME in file.name for file in content.files)
    told = (
        f"{content.facts} {content.artefacts} {[(f.message, f.values) for f in content.findings]}"
    )
    assert NAME not in told.upper()


def in_a_slides_texts_and_label(folder: Path) -> tuple[Path, ...]:
    return (slide_files.write_svs(folder / "planted.svs"),)


def in_a_wfdb_records_comments(folder: Path) -> tuple[Path, ...]:
    return signal_files.write_wfdb(folder, signal_files.wave())


def in_an_edf_header(folder: Path) -> tuple[Path, ...]:
    return (signal_files.write_edf(folder / "planted.edf", signal_files.wave()),)


@pytest.mark.parametrize(
    "plant", [in_a_slides_texts_and_label, in_a_wfdb_records_comments, in_an_edf_header]
)
def test_a_planted_name_is_in_no_byte_of_a_slide_or_signal(
    plant: Callable[[Path], tuple[Path, ...]], tmp_path: Path
) -> None:
    asked = request(tmp_path, *plant(tmp_path), deidentification=EVERYTHING)
    content = read_case(asked)
    assert not stands_in(slide_files.NAME, all_bytes(asked.folder))
    told = [content.facts, content.artefacts, *((f.message, f.values) for f in content.findings)]
    assert slide_files.NAME not in str(told).upper()


@pytest.mark.parametrize("value", ["Dr. Osler", "jane@example.org", "+41 44 123 45 67", "P001"])
def test_a_cases_table_with_an_identifier_is_cleaned_or_refused(value: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.csv"
    path.write_text(f"time,note\n0,stable\n1,{value} called\n")
    with pytest.raises(UnreadableFileError) as raised:
        read_case(request(tmp_path, path))
    assert value not in str(raised.value)
    asked = request(tmp_path, path, deidentification=Deidentification(text_columns=("note",)))
    read_case(asked)
    assert not stands_in(value, all_bytes(asked.folder))


def test_a_name_in_the_high_bits_is_gone_from_the_bits_too(tmp_path: Path) -> None:
    path = in_unused_high_bits(tmp_path / "planted.dcm")
    asked = request(tmp_path, path)
    read_case(asked)
    pixels = np.frombuffer(all_bytes(asked.folder)[-32 * 48 * 2 :], "<u2")
    assert int(pixels.max()) < 4096
