"""Text in pictures is found, blanked or held back; pictures without any are left alone."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.data.deidentify_files import KEYS, all_bytes, image, request, written

from proctor_workers.hidden_data.case_files import QuarantineError
from proctor_workers.hidden_data.deidentify.burned_in import (
    burned_in_declared,
    clean_pixels,
    ultrasound_regions,
)
from proctor_workers.hidden_data.deidentify.headers import kept_headers
from proctor_workers.hidden_data.deidentify.profile import (
    BurnedIn,
    Deidentification,
    Option,
    burned_in_policy,
)
from proctor_workers.hidden_data.deidentify.text_regions import text_regions
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.formats.registry import read_case

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
Pixels = NDArray[Any]


def background(rows: int = 320, columns: int = 448) -> Pixels:
    """12-bit anatomy of sorts: smooth shades with noise, as a detector has them."""
    y, x = np.mgrid[0:rows, 0:columns]
    shade = 900 + 700 * np.sin(x / 90) * np.cos(y / 70)
    return (shade + np.random.default_rng(0).normal(0, 25, y.shape)).astype(np.uint16)


def drawn(
    pixels: Pixels, text: str, *, size: int = 18, font: str = "DejaVuSans.ttf",
    at: tuple[int, int] = (30, 40), angle: float = 0.0, value: int = 4095,
) -> tuple[Pixels, NDArray[np.bool_]]:  # fmt: skip
    """The pixels with text drawn into them, and where its ink is."""
    letters = ImageFont.truetype(FONTS / font, size)
    left, top, right, bottom = letters.getbbox(text)
    label = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(label).text((4 - left, 4 - top), text, fill=255, font=letters)
    turned = np.asarray(label.rotate(angle, expand=True, resample=Image.Resampling.BILINEAR))
    ink = np.zeros(pixels.shape[:2], bool)
    ink[at[0] : at[0] + turned.shape[0], at[1] : at[1] + turned.shape[1]] = turned > 100
    out = pixels.copy()
    out[ink] = value
    return out, ink


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("DOE^JANE", {}),
        ("1957-03-21", {"size": 12}),
        ("MRN 4711223", {"font": "DejaVuSansMono.ttf"}),
        ("Müller, Hans", {"font": "DejaVuSerif-Bold.ttf", "size": 30}),
        ("Jane Doe 66 F", {"font": "cmtt10.ttf", "size": 22}),
        ("St. Mary's Hospital", {"font": "STIXGeneralItalic.ttf", "size": 24}),
        ("DOE^JANE", {"angle": 90, "at": (100, 10)}),
        ("DOE^JANE", {"angle": 270, "at": (100, 410)}),
        ("MRN 4711223", {"angle": 180}),
        ("MRN 4711223", {"angle": 12, "size": 22}),
        ("DOE^JANE", {"value": 0}),
        ("DOE^JANE", {"size": 72, "at": (200, 5)}),
    ],
)
def test_drawn_text_is_blanked_to_the_last_stroke(text: str, options: dict[str, Any]) -> None:
    plain = background()
    pixels, ink = drawn(plain, text, **options)
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK).pixels
    assert not (clean[ink] == pixels[ink]).any()
    assert np.ptp(clean[ink].astype(int)) < np.ptp(pixels.astype(int)) / 2


def test_blanking_changes_nothing_far_from_the_text() -> None:
    pixels, ink = drawn(background(), "DOE^JANE 1957")
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK).pixels
    rows, columns = np.nonzero(clean != pixels)
    inked = np.nonzero(ink)
    assert inked[0].min() - 20 <= rows.min()
    assert rows.max() <= inked[0].max() + 20
    assert inked[1].min() - 20 <= columns.min()
    assert columns.max() <= inked[1].max() + 20


def test_text_is_blanked_in_every_frame_though_one_alone_has_it() -> None:
    frames = np.stack([background(160, 256)] * 6)
    frames[4], ink = drawn(frames[4], "DOE^JANE 1957")
    clean = clean_pixels(frames, "MONOCHROME2", BurnedIn.BLANK).pixels
    assert not (clean[4][ink] == 4095).any()
    assert clean.shape == frames.shape


def test_text_in_a_colour_picture_is_blanked() -> None:
    grey = (background() // 16).astype(np.uint8)
    colour = np.stack([grey, grey // 2, grey // 3], -1)
    text, ink = drawn(grey, "DOE^JANE 1957", value=255)
    colour[..., 1][ink] = text[ink]
    clean = clean_pixels(colour, "RGB", BurnedIn.BLANK).pixels
    assert not (clean[..., 1][ink] == 255).any()


def test_text_in_a_large_picture_is_found_at_its_own_size() -> None:
    pixels, _ = drawn(background(1500, 1000), "DOE^JANE", size=20, at=(1400, 800))
    with pytest.raises(QuarantineError):
        clean_pixels(pixels, "MONOCHROME2", BurnedIn.QUARANTINE)


def test_text_is_found_in_values_that_are_partly_none() -> None:
    pixels, ink = drawn(background(256, 256).astype(np.float32), "DOE^JANE", size=24)
    pixels[:9] = np.nan
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK).pixels
    assert not (clean[ink] == 4095).any()


def test_text_that_is_no_brighter_than_the_picture_is_found() -> None:
    pixels = background()
    pixels[:, 360:] = 4095  # a collimator's edge, far brighter than the text
    pixels, ink = drawn(pixels, "DOE^JANE 1957", value=1900, at=(200, 60))
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK).pixels
    assert not (clean[ink] == 1900).any()


def test_a_bright_speck_does_not_hide_the_text() -> None:
    pixels, ink = drawn(background(), "DOE^JANE 1957", value=3000)
    pixels[310, 440] = 65535
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK).pixels
    assert not (clean[ink] == 3000).any()


def test_a_picture_with_text_is_held_back_and_the_text_not_told() -> None:
    pixels, _ = drawn(background(), "DOE^JANE")
    with pytest.raises(QuarantineError) as raised:
        clean_pixels(pixels, "MONOCHROME2", BurnedIn.QUARANTINE, file="a.dcm")
    assert raised.value.file == "a.dcm"
    assert "DOE" not in f"{raised.value.refusal}{raised.value}"


def test_what_was_blanked_is_told_by_place_and_counted() -> None:
    pixels, _ = drawn(background(), "DOE^JANE", at=(100, 200))
    cleaned = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK, file="a.dcm")
    (finding,) = cleaned.findings
    assert finding.values["places"] == 1
    assert finding.code == "pixels.blanked"
    top, left, _, _ = (int(side) for side in str(finding.values["boxes"]).split(","))
    assert (abs(top - 100) < 15, abs(left - 200) < 15) == (True, True)
    assert cleaned.actions["pixels.blanked"] == 1


def test_markers_of_side_and_view_stay() -> None:
    pixels = background()
    for marker, at in (("L", (20, 20)), ("LAT", (140, 40)), ("RMLO", (240, 200))):
        pixels, _ = drawn(pixels, marker, size=40, at=at)
    clean = clean_pixels(pixels, "MONOCHROME2", BurnedIn.BLANK)
    assert (clean.pixels == pixels).all()


def test_nobody_looks_when_the_plan_keeps_what_is_burned_in() -> None:
    pixels, _ = drawn(background(), "DOE^JANE")
    cleaned = clean_pixels(pixels, "MONOCHROME2", BurnedIn.KEEP)
    assert cleaned.pixels is pixels


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"],
)  # fmt: skip
def test_a_clinical_picture_without_text_is_not_held_back(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not in the installed packages")
    ds = pydicom.dcmread(str(path))
    pixels = ds.pixel_array
    cleaned = clean_pixels(pixels, ds.PhotometricInterpretation, BurnedIn.QUARANTINE)
    assert cleaned.pixels is pixels or (cleaned.pixels == pixels).all()


def test_phantom_radiographs_are_not_held_back() -> None:
    from radiograph import radiograph  # the example's folder is on the path for these tests

    for number in range(2):
        chance = np.random.default_rng(number)
        pixels = radiograph(chance, "FM"[number % 2], 1.5 * number)
        assert clean_pixels(pixels, "MONOCHROME2", BurnedIn.QUARANTINE).pixels is pixels


@pytest.mark.parametrize("name", ["US1_UNCR.dcm"])
def test_an_ultrasound_picture_with_the_hospitals_name_is_held_back(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not in the installed packages")
    ds = pydicom.dcmread(str(path))
    with pytest.raises(QuarantineError):
        clean_pixels(ds.pixel_array, ds.PhotometricInterpretation, BurnedIn.QUARANTINE)


def ultrasound() -> Dataset:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 100, 60
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 399, 299
    return image(SequenceOfUltrasoundRegions=Sequence([region]))


def test_around_ultrasound_regions_everything_is_blanked() -> None:
    pixels = background()
    clean = clean_pixels(
        pixels, "MONOCHROME2", BurnedIn.BLANK, regions=ultrasound_regions(ultrasound())
    ).pixels
    inside = np.zeros(pixels.shape, bool)
    inside[60:300, 100:400] = True
    assert (clean[inside] == pixels[inside]).all()
    assert not clean[~inside].any()


@pytest.mark.parametrize(
    ("annotation", "policy", "held_back"),
    [
        ("YES", BurnedIn.KEEP, True),
        ("YES", BurnedIn.BLANK, False),
        ("NO", BurnedIn.KEEP, False),
        ("", BurnedIn.KEEP, False),
    ],
)
def test_a_file_that_says_it_has_text_is_held_back_where_nobody_looks(
    annotation: str, policy: BurnedIn, *, held_back: bool
) -> None:
    found = burned_in_declared(annotation, policy)
    assert [one.severity for one in found] == [Severity.ERROR] * held_back


def test_clean_pixel_data_means_that_somebody_looks() -> None:
    asked = Deidentification(options=frozenset({Option.CLEAN_PIXEL_DATA}))
    assert burned_in_policy(asked) is BurnedIn.BLANK


def overlaid(text: str) -> Dataset:
    bits = np.zeros((256, 256), np.uint16)
    if text:
        bits, _ = drawn(bits, text, value=1, size=22)
    else:
        bits[60:200, 60:62] = bits[60:200, 198:200] = 1  # a box's sides
    ds = image()
    for element, vr, value in (
        (0x0010, "US", 256), (0x0011, "US", 256), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1), (0x0102, "US", 0),
        (0x3000, "OW", np.packbits(bits.reshape(-1) > 0, bitorder="little").tobytes()),
    ):  # fmt: skip
        ds.add_new((0x6000, element), vr, value)
    return ds


@pytest.mark.parametrize(("text", "is_kept"), [("DOE^JANE", False), ("", True)])
def test_an_overlay_is_kept_only_without_text(text: str, *, is_kept: bool) -> None:
    profile = Deidentification(options=frozenset({Option.CLEAN_GRAPHICS}))
    kept, _ = kept_headers(overlaid(text), profile, KEYS)
    assert ((0x6000, 0x3000) in kept) == is_kept


def test_text_is_gone_from_the_canonical_file_itself(tmp_path: Path) -> None:
    pixels, ink = drawn(background(), "DOE^JANE 1957")
    ds = image(Rows=320, Columns=448, BitsStored=12, HighBit=11)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    path = written(ds, tmp_path / "text.dcm")
    asked = request(tmp_path, path, deidentification=Deidentification(burned_in=BurnedIn.BLANK))
    content = read_case(asked)
    kept = pydicom.dcmread(content.files[0].path)
    assert not (kept.pixel_array[ink] == 4095).any()
    assert kept.BurnedInAnnotation == "NO"
    assert content.actions["pixels.blanked"] == 1
    assert all_bytes(asked.folder)


def test_text_is_found_by_place_only() -> None:
    grey, _ = drawn((background() // 16).astype(np.uint8), "DOE^JANE 1957", value=255)
    (region,) = text_regions(grey)
    assert "DOE" not in repr(region)
