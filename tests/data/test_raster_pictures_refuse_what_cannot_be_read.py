"""Damaged, hostile and unfit pictures are refused with a cure, quickly and in bounded memory."""

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.foreign_files import most_memory, outcome, tampered

from proctor_workers.hidden_data.case_files import CanonicalForm

DRAWS = np.random.default_rng(2)
COLOUR = DRAWS.integers(0, 255, (20, 30, 3), dtype=np.uint8)
GREY = DRAWS.integers(0, 65535, (20, 30), dtype=np.uint16)
STACK = np.zeros((3, 9, 9), np.uint16)
TIFF = CanonicalForm(rasters="tiff")


def saved(image: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, kind, **options)
    return out.getvalue()


def tiff(pixels: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


def png(columns: int, rows: int, data: bytes, *, bits: int = 8, colour: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + zlib.crc32(kind + data).to_bytes(4)


WHOLE = {
    "a.png": saved(COLOUR, "PNG"),
    "p.png": saved(Image.fromarray(COLOUR).quantize(16), "PNG", dpi=(72, 72)),
    "a.jpg": saved(
        COLOUR, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06"
    ),
    "p.jpg": saved(COLOUR, "JPEG", progressive=True),
    "a.bmp": saved(COLOUR, "BMP"),
    "a.tif": tiff(COLOUR, photometric="rgb"),
    "z.tif": tiff(GREY, compression="zlib", predictor=True, rowsperstrip=4),
    "j.tif": tiff(COLOUR, photometric="rgb", compression="jpeg"),
    "t.tif": tiff(COLOUR, photometric="rgb", tile=(16, 16), compression="lzw"),
    "s.tif": tiff(np.stack([GREY] * 3), photometric="minisblack"),
    "g.tif": saved(Image.fromarray(COLOUR).convert("1"), "TIFF", compression="group4"),
}
ANY_TAMPERED = st.sampled_from(sorted(WHOLE)).flatmap(
    lambda name: st.tuples(st.just(name), tampered(WHOLE[name]))
)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_tampered_with_below_is_read_when_whole(name: str) -> None:
    assert outcome({name: WHOLE[name]}, TIFF) == "read"


@settings(
    max_examples=200, deadline=10_000, suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)  # fmt: skip
@given(ANY_TAMPERED, st.sampled_from(["png", "tiff"]))
def test_tampered_file_is_read_or_refused(file: tuple[str, bytes], form: str) -> None:
    name, content = file
    assert outcome({name: content}, CanonicalForm(rasters=form))


@pytest.mark.parametrize("name", WHOLE)
def test_file_that_is_cut_off_is_refused(name: str) -> None:
    content = WHOLE[name]
    for share in (0.5, 0.9):
        assert outcome({name: content[: int(len(content) * share)]}, TIFF) != "read"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "CMYK"),
        (saved(Image.fromarray(COLOUR).convert("CMYK"), "TIFF"), "colours of an unusual kind"),
        (saved(Image.new("RGBA", (9, 9), (1, 2, 3, 100)), "PNG"), "transparent"),
        (saved(Image.new("RGBA", (9, 9), (1, 2, 3, 100)), "TIFF"), "transparent"),
        (saved(Image.fromarray(COLOUR).quantize(8), "PNG", transparency=1), "transparent"),
        (tiff(DRAWS.integers(0, 9, (9, 9, 5), dtype=np.uint8), photometric="minisblack",
              planarconfig="contig"), "several channels"),
        (saved(Image.new("L", (9, 9)), "PNG", save_all=True,
               append_images=[Image.new("L", (9, 9), 9)]), "animated"),
        (tiff(STACK, imagej=True, truncate=True), "more pictures than it has pages"),
        (tiff(STACK, photometric="minisblack", truncate=True), "more pictures than it has pages"),
        (tiff(COLOUR, photometric="rgb", compression="zstd"), "compressed in a way"),
        (b"BM" + bytes(60), "unknown format"),
    ],
)  # fmt: skip
def test_unfit_picture_is_refused(content: bytes, what: str) -> None:
    assert what in outcome({"a": content}, TIFF)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (tiff(np.stack([GREY] * 3), photometric="minisblack"), "several pages"),
        (tiff(GREY.astype(np.float32)), "floating-point"),
        (tiff(np.stack([GREY] * 3, axis=-1), photometric="rgb"), "colours of 16 bits"),
    ],
)
def test_what_png_cannot_hold_is_refused_and_never_changed(content: bytes, what: str) -> None:
    assert what in outcome({"a": content})
    assert outcome({"a": content}, TIFF) == "read"


def test_picture_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    rows = zlib.compress(bytes(1 << 20), 9) * 40
    begun = time.process_time()
    assert "too large" in outcome({"a.png": png(60_000, 60_000, rows)})
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("colour", [0, 2, 6])
def test_png_that_promises_more_than_its_bytes_can_hold_asks_for_no_memory(colour: int) -> None:
    made = png(16_000, 16_000, zlib.compress(bytes(9999)), bits=16, colour=colour)
    assert "damaged" in outcome({"a.png": made})
    assert most_memory({"a.png": made}) < 8


def test_profile_that_unpacks_to_a_gigabyte_is_not_unpacked() -> None:
    packed = zlib.compressobj(9)
    bomb = b"".join(packed.compress(bytes(1 << 24)) for _ in range(16)) + packed.flush()
    whole = WHOLE["a.png"]
    made = (
        whole[:33] + chunk(b"iCCP", b"x\0\0" + bomb) + chunk(b"zTXt", b"x\0\0" + bomb) + whole[33:]
    )
    begun = time.process_time()
    assert outcome({"a.png": made}) == "read"
    assert time.process_time() - begun < 0.5
    assert most_memory({"a.png": made}) < 8


def with_rows(made: bytes, rows: int) -> bytes:
    """Return a TIFF of one strip that says it has another number of rows."""
    changed = bytearray(made)
    with tifffile.TiffFile(io.BytesIO(made)) as opened:
        tags = [opened.pages[0].tags[name] for name in ("ImageLength", "RowsPerStrip")]
    for tag in tags:
        struct.pack_into("<H" if tag.dtype == 3 else "<I", changed, tag.valueoffset, rows)
    return bytes(changed)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits", "jpeg", None])
def test_tiff_whose_strip_holds_fewer_rows_is_refused(compression: str | None) -> None:
    made = tiff(np.ones((40, 64), np.uint8), compression=compression, rowsperstrip=40)
    assert "damaged" in outcome({"a.tif": with_rows(made, 64)}, TIFF)


def test_tiff_whose_strip_is_missing_is_refused_and_not_filled_with_zeros() -> None:
    made = bytearray(tiff(COLOUR, photometric="rgb", rowsperstrip=10, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(made))) as opened:
        tag = opened.pages[0].tags["StripByteCounts"]
    struct.pack_into("<H" if tag.dtype == 3 else "<I", made, tag.valueoffset, 0)
    assert outcome({"a.tif": bytes(made)}, TIFF) == "is cut off"


def test_tiff_whose_strip_unpacks_to_more_than_the_picture_is_bounded() -> None:
    made = tiff(np.zeros((4000, 4000), np.uint8), compression="zlib", rowsperstrip=4000)
    assert most_memory({"a.tif": with_rows(made, 2)}, TIFF) < 8


def test_jpeg_in_a_tile_that_is_larger_than_the_tile_is_refused() -> None:
    made = bytearray(tiff(COLOUR, photometric="rgb", compression="jpeg"))
    frame = made.index(b"\xff\xc0")
    struct.pack_into(">HH", made, frame + 5, 9_000, 9_000)
    assert "damaged" in outcome({"a.tif": bytes(made)}, TIFF)
    assert most_memory({"a.tif": bytes(made)}, TIFF) < 8


def test_jpeg_of_endless_scans_is_refused() -> None:
    made = WHOLE["p.jpg"]
    scan = made.index(b"\xff\xda")
    many = made[:scan] + made[scan : scan + 60] * 5000 + made[scan:]
    begun = time.process_time()
    assert "damaged" in outcome({"a.jpg": many})
    assert time.process_time() - begun < 0.5


def test_tiff_whose_pages_lead_in_a_circle_is_refused() -> None:
    made = bytearray(WHOLE["a.tif"])
    first = struct.unpack_from("<I", made, 4)[0]
    count = struct.unpack_from("<H", made, first)[0]
    struct.pack_into("<I", made, first + 2 + 12 * count, first)
    assert "damaged" in outcome({"a.tif": bytes(made)}, TIFF)
