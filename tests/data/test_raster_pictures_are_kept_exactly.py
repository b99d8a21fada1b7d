"""Pictures come out with the pixels that went in, upright, whatever the format."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
import tifffile
from numpy.typing import NDArray
from PIL import Image
from tests.data.foreign_files import read

from proctor_workers.hidden_data.case_files import CanonicalForm, CaseContent

DRAWS = np.random.default_rng(11)
PICTURES = Path(skimage.__file__).parent / "data"
REAL = ("retina.jpg", "ihc.png", "cell.png", "microaneurysms.png", "phantom.png", "rocket.jpg")
COLOUR = DRAWS.integers(0, 255, (37, 53, 3), dtype=np.uint8, endpoint=True)
GREY_16 = DRAWS.integers(0, 65535, (37, 53), dtype=np.uint16, endpoint=True)
TIFF = CanonicalForm(rasters="tiff")

Pixels = NDArray[Any]


def kept(content: CaseContent) -> Pixels:
    """Return the canonical pixels as libraries of others read them."""
    path = content.files[0].path
    if path.suffix == ".tiff":
        return tifffile.imread(path)
    with Image.open(path) as image:
        return np.asarray(image)


def saved(image: Image.Image | Pixels, kind: str, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def tiff(pixels: Pixels, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("name", REAL)
def test_real_picture_keeps_its_pixels(name: str, form: str, tmp_path: Path) -> None:
    content = read(tmp_path, {name: PICTURES / name}, CanonicalForm(rasters=form))
    with Image.open(PICTURES / name) as original:
        np.testing.assert_array_equal(kept(content), np.asarray(original))
    assert content.files[0].name == f"0.{form}"


@pytest.mark.parametrize("name", ["multipage.tif", "multipage_rgb.tif"])
def test_stack_of_pages_stays_a_stack(name: str, tmp_path: Path) -> None:
    content = read(tmp_path, {name: PICTURES / name}, TIFF)
    original = tifffile.imread(PICTURES / name)
    if name.endswith("_rgb.tif"):
        original = np.moveaxis(original, 1, -1)  # its colours are planes
    np.testing.assert_array_equal(kept(content), original)
    assert content.facts["slices"] == len(original)
    assert content.grid is not None
    assert content.grid.size == original.shape[:3]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw"},
        {"compression": "packbits"},
        {"tile": (16, 32)},
        {"rowsperstrip": 5, "compression": "zlib"},
        {"bigtiff": True},
        {"byteorder": ">"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["colour", "grey"])
def test_tiff_of_every_layout_is_read(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    pixels = COLOUR if kind == "colour" else GREY_16
    photometric = "rgb" if kind == "colour" else "minisblack"
    content = read(tmp_path, {"a.tif": tiff(pixels, photometric=photometric, **options)})
    np.testing.assert_array_equal(kept(content), pixels)


def test_colours_in_planes_are_put_together(tmp_path: Path) -> None:
    planes = tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(kept(read(tmp_path, {"a.tif": planes})), COLOUR)


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "i4", "f4", "f8"])
def test_values_that_png_has_not_are_kept_as_tiff(dtype: str, tmp_path: Path) -> None:
    pixels = DRAWS.normal(0, 50, (9, 7)).astype(dtype)
    content = read(tmp_path, {"a.tif": tiff(pixels)}, TIFF)
    assert kept(content).dtype == np.dtype(dtype)
    np.testing.assert_array_equal(kept(content), pixels)


def test_sixteen_bit_grey_png_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(kept(read(tmp_path, {"a.png": saved(GREY_16, "PNG")})), GREY_16)


def test_sixteen_bit_colours_of_a_png_are_kept_as_tiff(tmp_path: Path) -> None:
    content = read(tmp_path, {"a.png": PICTURES / "chessboard_RGB.png"}, TIFF)
    assert kept(content).dtype == np.uint16
    assert len(np.unique(kept(content))) > 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(COLOUR).quantize(16), "RGB"),
        (Image.fromarray(COLOUR).convert("1"), "L"),
        (Image.fromarray(COLOUR).convert("RGBA"), "RGB"),
        (Image.fromarray(COLOUR).convert("L").convert("LA"), "L"),
    ],
    ids=["palette", "one bit", "opaque colour", "opaque grey"],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_palette_one_bit_and_opaque_pictures_become_plain(
    kind: str, image: Image.Image, expected: str, tmp_path: Path
) -> None:
    content = read(tmp_path, {"a": saved(image, kind)})
    np.testing.assert_array_equal(kept(content), np.asarray(image.convert(expected)))


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_of_grey_are_stretched_to_white(bits: int, tmp_path: Path) -> None:
    levels = np.arange(1 << bits, dtype=np.uint8).reshape(1, -1)
    packed = tiff(levels, bitspersample=bits) if bits == 4 else None
    image = Image.fromarray(levels * (255 // ((1 << bits) - 1)))
    content = read(tmp_path, {"a": packed or saved(image, "PNG", bits=bits)})
    assert kept(content)[0, -1] == 255
    assert content.facts["bits_stored"] in {bits, 8}


def test_white_that_is_zero_is_turned_to_black(tmp_path: Path) -> None:
    content = read(tmp_path, {"a.tif": tiff(GREY_16, photometric="miniswhite")})
    np.testing.assert_array_equal(kept(content), 65535 - GREY_16)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientation_of_exif_is_applied(kind: str, orientation: int, tmp_path: Path) -> None:
    def upright(image: Image.Image) -> Pixels:
        turns = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90,
        }
        turn = turns.get(orientation)
        return np.asarray(image if turn is None else image.transpose(turn))

    exif = Image.Exif()
    exif[0x0112] = orientation
    made = saved(COLOUR, kind, exif=exif)
    with Image.open(io.BytesIO(made)) as stored:
        stored.load()
        expected = upright(Image.fromarray(COLOUR) if kind != "JPEG" else stored)
        content = read(tmp_path, {"a": made})
    np.testing.assert_array_equal(kept(content), expected)
    assert content.facts["turned"] == orientation


def test_bmp_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(kept(read(tmp_path, {"a.bmp": saved(COLOUR, "BMP")})), COLOUR)


def test_jpeg_is_known_to_have_lost_before(tmp_path: Path) -> None:
    assert read(tmp_path, {"a.jpg": saved(COLOUR, "JPEG")}).artefacts["lossy_before"] == 1


def test_jpeg_in_tiff_is_known_to_have_lost_before(tmp_path: Path) -> None:
    made = tiff(COLOUR, photometric="rgb", compression="jpeg")
    content = read(tmp_path, {"a.tif": made})
    assert content.artefacts["lossy_before"] == 1
    np.testing.assert_array_equal(kept(content), tifffile.imread(io.BytesIO(made)))


def test_colour_profile_is_told_and_changes_no_pixel(tmp_path: Path) -> None:
    content = read(tmp_path, {"a.jpg": PICTURES / "rocket.jpg"})
    assert [finding.code for finding in content.findings] == ["image.colour_profile"]


def test_resolution_becomes_a_fact_and_no_part_of_the_file(tmp_path: Path) -> None:
    content = read(tmp_path, {"a.png": saved(COLOUR, "PNG", dpi=(254, 127))})
    assert content.facts["column_spacing"] == pytest.approx(0.1, rel=1e-3)
    assert content.facts["row_spacing"] == pytest.approx(0.2, rel=1e-3)
    assert b"pHYs" not in content.files[0].path.read_bytes()


def test_several_pictures_keep_the_tables_order(tmp_path: Path) -> None:
    content = read(tmp_path, {"b.png": saved(COLOUR, "PNG"), "a.png": saved(GREY_16, "PNG")})
    assert [file.name for file in content.files] == ["0.png", "1.png"]
    assert kept(content).shape == COLOUR.shape
    assert content.grid is None


def test_equal_pixels_make_equal_files_whatever_they_came_in(tmp_path: Path) -> None:
    digests = set()
    for kind in ("PNG", "TIFF", "BMP"):
        folder = tmp_path / kind
        folder.mkdir()
        digests.add(read(folder, {"a": saved(COLOUR, kind)}).files[0].sha256)
    assert len(digests) == 1
