"""Whatever the layout and the compression, the stored values come out exactly."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from tests.data.dicom_cases import codes, dicom, gradient, image, read, written

from proctor_workers.hidden_data.case_files import UnreadableFileError

RGB = np.random.default_rng(1).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def only(folder: Path, content: bytes) -> pydicom.Dataset:
    (dataset,) = written(read(folder, content))
    return dataset


def compressed(values: NDArray[np.generic], syntax: str, frames: list[bytes]) -> bytes:
    dataset = image(values)
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return dicom(dataset, syntax)


@pytest.mark.parametrize("dtype", ["<u1", "<i1", "<u2", "<i2", "<u4", "<i4"])
def test_values_of_every_width_and_sign_stay(tmp_path: Path, dtype: str) -> None:
    values = gradient(16, 16, dtype)

    assert np.array_equal(only(tmp_path, dicom(image(values))).pixel_array, values)


def test_values_of_64_bits_stay(tmp_path: Path) -> None:
    values = gradient(4, 4, "<u8") + (1 << 60)

    kept = only(tmp_path, dicom(image(values)))

    assert np.array_equal(np.frombuffer(kept.PixelData, "<u8").reshape(4, 4), values)


def test_big_endian_values_stay(tmp_path: Path) -> None:
    values = gradient()

    kept = only(tmp_path, dicom(image(values.astype(">u2")), ExplicitVRBigEndian))

    assert np.array_equal(kept.pixel_array, values)


@pytest.mark.parametrize("allocated", [12, 24])
def test_packed_bits_are_unpacked(tmp_path: Path, allocated: int) -> None:
    values = gradient(6, 8)
    bits = (values.ravel()[:, None] >> np.arange(allocated)) & 1
    packed = np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()
    content = dicom(
        image(values, BitsAllocated=allocated, BitsStored=12, HighBit=11, PixelData=packed)
    )

    kept = only(tmp_path, content)

    assert kept.BitsAllocated == (16 if allocated == 12 else 32)
    assert np.array_equal(kept.pixel_array, values)


def test_one_bit_becomes_a_byte_a_pixel(tmp_path: Path) -> None:
    values = (gradient(5, 5) % 2).astype(np.uint8)
    packed = np.packbits(values.ravel(), bitorder="little").tobytes()

    kept = only(
        tmp_path,
        dicom(image(values, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed)),
    )

    assert (kept.BitsAllocated, kept.BitsStored) == (8, 1)
    assert np.array_equal(kept.pixel_array, values)


def test_bits_at_the_high_end_move_down(tmp_path: Path) -> None:
    values = gradient() % 4096

    kept = only(tmp_path, dicom(image((values << 4).astype("<u2"), BitsStored=12, HighBit=15)))

    assert (kept.BitsStored, kept.HighBit) == (12, 11)
    assert np.array_equal(kept.pixel_array, values)


def test_mark_in_the_unused_bits_is_gone_and_told(tmp_path: Path) -> None:
    values = gradient() % 4096

    content = read(tmp_path, dicom(image(values | 0x8000, BitsStored=12, HighBit=11)))

    assert np.array_equal(written(content)[0].pixel_array, values)
    assert "pixels.high_bits_cleared" in codes(content)


def test_sign_bits_in_the_unused_bits_are_no_mark(tmp_path: Path) -> None:
    values = gradient(dtype="<i2") - 100

    content = read(tmp_path, dicom(image(values, BitsStored=12, HighBit=11)))

    assert np.array_equal(written(content)[0].pixel_array, values)
    assert "pixels.high_bits_cleared" not in codes(content)


@pytest.mark.parametrize(
    ("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
def test_floats_stay_floats(tmp_path: Path, keyword: str, dtype: str) -> None:
    values = (gradient() / 7).astype(dtype)
    dataset = image()
    del dataset.PixelData
    for element in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, element)
    dataset.BitsAllocated = values.dtype.itemsize * 8
    setattr(dataset, keyword, values.tobytes())

    kept = only(tmp_path, dicom(dataset))

    assert np.array_equal(kept.pixel_array, values)
    assert "BitsStored" not in kept


def test_planes_of_colour_become_pixels_of_colour(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(RGB, -1, 0)).tobytes()

    kept = only(tmp_path, dicom(image(RGB, PlanarConfiguration=1, PixelData=planes + bytes(1))))

    assert kept.PlanarConfiguration == 0
    assert np.array_equal(kept.pixel_array, RGB)


def test_uncompressed_ybr_keeps_its_stored_values(tmp_path: Path) -> None:
    kept = only(tmp_path, dicom(image(RGB, PhotometricInterpretation="YBR_FULL")))

    assert kept.PhotometricInterpretation == "YBR_FULL"
    assert kept.PixelData[: RGB.size] == RGB.tobytes()


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_stays_and_gives_the_same_colours(tmp_path: Path, bits: int) -> None:
    dataset = image(gradient(dtype="u1"), PhotometricInterpretation="PALETTE COLOR")
    table = np.random.default_rng(2).integers(0, 1 << bits, (3, 256)).astype(f"<u{bits // 8}")
    for colour, entries in zip(("Red", "Green", "Blue"), table, strict=True):
        name = f"{colour}PaletteColorLookupTable"
        dataset.add_new(pydicom.datadict.tag_for_keyword(f"{name}Descriptor"), "US", [256, 0, bits])
        setattr(dataset, f"{name}Data", entries.tobytes())
    content = dicom(dataset)
    original = pydicom.dcmread(io.BytesIO(content))

    kept = only(tmp_path, content)

    assert np.array_equal(
        apply_color_lut(kept.pixel_array, kept), apply_color_lut(original.pixel_array, original)
    )


def test_segmented_palette_is_written_out(tmp_path: Path) -> None:
    dataset = image((gradient() % 256).astype("u1"), PhotometricInterpretation="PALETTE COLOR")
    # PS3.3 C.7.9.2: one value, then a line of 255 steps to the last one.
    segments = struct.pack("<6H", 0, 1, 0, 1, 255, 65_280)
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTable"
        dataset.add_new(pydicom.datadict.tag_for_keyword(f"{name}Descriptor"), "US", [256, 0, 16])
        setattr(dataset, f"Segmented{name}Data", segments)
    content = dicom(dataset)
    original = pydicom.dcmread(io.BytesIO(content))

    kept = only(tmp_path, content)

    assert "SegmentedRedPaletteColorLookupTableData" not in kept
    assert np.array_equal(
        apply_color_lut(kept.pixel_array, kept), apply_color_lut(original.pixel_array, original)
    )


def test_lookup_tables_give_the_same_values_and_tell_nothing_else(tmp_path: Path) -> None:
    item = pydicom.Dataset()
    item.add_new(0x00283002, "US", [256, 0, 16])
    item.LUTExplanation, item.ModalityLUTType = "table of Jane Doe", "HU"
    item.add_new(0x00283006, "US", list(range(1000, 1256)))
    voi = pydicom.Dataset()
    voi.add_new(0x00283002, "US", [256, 1000, 8])
    voi.LUTExplanation = "Jane's window"
    voi.add_new(0x00283006, "US", [n // 2 for n in range(256)])
    values = (gradient() % 256).astype("<u2")
    content = dicom(image(values, ModalityLUTSequence=[item], VOILUTSequence=[voi]))
    original = pydicom.dcmread(io.BytesIO(content))

    kept = only(tmp_path, content)

    shown, expected = (
        apply_voi_lut(apply_modality_lut(one.pixel_array, one), one) for one in (kept, original)
    )
    assert np.array_equal(shown, expected)
    assert b"Jane" not in Path(tmp_path / "canonical" / "0.dcm").read_bytes()


def test_cut_lookup_table_is_refused(tmp_path: Path) -> None:
    item = pydicom.Dataset()
    item.add_new(0x00283002, "US", [256, 0, 16])
    item.ModalityLUTType = "HU"
    item.add_new(0x00283006, "US", list(range(200)))

    with pytest.raises(UnreadableFileError, match="broken lookup table"):
        read(tmp_path, dicom(image(ModalityLUTSequence=[item])))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("colours", [False, True])
def test_lossless_compression_leaves_no_trace(
    tmp_path: Path, syntax: str, *, colours: bool
) -> None:
    values = RGB if colours else gradient()
    frame = {
        RLELossless: None,
        JPEG2000Lossless: imagecodecs.jpeg2k_encode(
            values, level=0, reversible=True, codecformat="j2k", mct=False
        ),
        JPEGLSLossless: imagecodecs.jpegls_encode(values),
    }[syntax]
    dataset = image(values)
    if frame is None:
        dicom(dataset)
        dataset.compress(RLELossless)
        content = dicom(dataset, RLELossless)
    else:
        content = compressed(values, syntax, [frame])

    kept = only(tmp_path, content)

    assert np.array_equal(kept.pixel_array, values)
    assert kept.get("LossyImageCompression") != "01"


def test_jpeg_lossless_of_16_bits_stays(tmp_path: Path) -> None:
    values = gradient(64, 64) * 16
    content = compressed(values, JPEGLosslessSV1, [imagecodecs.ljpeg_encode(values)])

    assert np.array_equal(only(tmp_path, content).pixel_array, values)


def test_high_throughput_jpeg_2000_stays(tmp_path: Path) -> None:
    values = gradient(64, 64)
    content = compressed(values, HTJ2KLossless, [imagecodecs.htj2k_encode(values)])

    assert np.array_equal(only(tmp_path, content).pixel_array, values)


def test_frames_are_found_by_an_extended_offset_table(tmp_path: Path) -> None:
    values = np.stack([gradient(), gradient()[::-1]])
    dataset = image(values)
    frames = [imagecodecs.jpegls_encode(frame) for frame in values]
    found = encapsulate_extended(frames)
    dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = found
    dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"

    kept = only(tmp_path, dicom(dataset, JPEGLSLossless))

    assert np.array_equal(kept.pixel_array, values)


def test_frame_in_several_fragments_stays(tmp_path: Path) -> None:
    values = gradient()
    dataset = image(values)
    frame = imagecodecs.jpegls_encode(values)
    dataset.PixelData = encapsulate([frame], fragments_per_frame=3, has_bot=False)
    dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"

    assert np.array_equal(only(tmp_path, dicom(dataset, JPEGLSLossless)).pixel_array, values)


def test_frame_of_another_size_than_the_header_says_never_reaches_a_decoder(
    tmp_path: Path,
) -> None:
    frame = bytearray(imagecodecs.jpegls_encode(gradient()))
    at = frame.index(b"\xff\xf7")
    frame[at + 5 : at + 9] = b"\xff\xff\xff\xff"  # 65,535 × 65,535

    with pytest.raises(UnreadableFileError, match="another size"):
        read(tmp_path, compressed(gradient(), JPEGLSLossless, [bytes(frame)]))


def test_frame_without_an_end_is_told(tmp_path: Path) -> None:
    frame = imagecodecs.jpegls_encode(gradient(64, 64))

    content = read(tmp_path, compressed(gradient(64, 64), JPEGLSLossless, [frame[:-100]]))

    assert "pixels.frame_without_end" in codes(content)


def test_more_pixels_than_a_machine_holds_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="too large once decoded"):
        read(tmp_path, dicom(image(Rows=60_000, Columns=60_000)))


def test_fewer_pixels_than_the_header_says_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="fewer pixels"):
        read(tmp_path, dicom(image(NumberOfFrames=2)))


def test_pixels_after_the_last_frame_are_left_out(tmp_path: Path) -> None:
    hidden = gradient().tobytes() + b"JANE DOE" * 60 * 2

    kept = only(tmp_path, dicom(image(PixelData=hidden)))

    assert b"JANE" not in kept.PixelData
    assert np.array_equal(kept.pixel_array, gradient())


def test_lossy_original_says_so(tmp_path: Path) -> None:
    values = gradient(64, 64, "u1")
    frame = imagecodecs.jpeg8_encode(values, level=50)

    content = read(tmp_path, compressed(values, "1.2.840.10008.1.2.4.50", [frame]))

    assert written(content)[0].LossyImageCompression == "01"
    assert content.artefacts["lossy_before"] == 1.0


def test_implicit_palette_and_tables_are_read(tmp_path: Path) -> None:
    item = pydicom.Dataset()
    item.add_new(0x00283002, "US", [4, 0, 16])
    item.add_new(0x00283006, "OW", struct.pack("<4H", 9, 8, 7, 6))
    values = (gradient() % 4).astype("<u2")
    content = dicom(image(values, ModalityLUTSequence=[item]), ImplicitVRLittleEndian)

    kept = only(tmp_path, content)

    assert set(np.unique(apply_modality_lut(kept.pixel_array, kept))) == {9, 8, 7, 6}
