"""Nothing but pixels is in a canonical picture, wherever a name was planted."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from tests.data.foreign_files import read

from proctor_workers.hidden_data.case_files import CanonicalForm, QuarantineError
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Deidentification

SECRET = b"VANDERBILT"
NAME = SECRET.decode()
COLOUR = np.random.default_rng(2).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def with_secrets(kind: str) -> bytes:
    image, out = Image.fromarray(COLOUR), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = NAME, NAME, NAME  # description, artist, copyright
    exif.get_ifd(0x8825)[1] = "N"  # where the picture was taken
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + SECRET
    profile = b"\0" * 128 + SECRET
    if kind == "JPEG":
        image.save(out, kind, exif=exif, comment=SECRET, icc_profile=profile)
        return out.getvalue() + SECRET
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Patient", NAME)
        texts.add_text("Patient", NAME, zip=True)
        texts.add_itxt(NAME, NAME)
        texts.add(b"prVt", SECRET)
        image.save(out, kind, exif=exif, icc_profile=profile, pnginfo=texts, dpi=(72, 72))
        return out.getvalue() + SECRET
    tags = [(code, "s", 0, NAME, True) for code in (270, 271, 272, 305, 306, 315, 316, 33432)]
    tifffile.imwrite(
        out,
        COLOUR,
        photometric="rgb",
        iccprofile=profile,
        software=NAME,
        extratags=[*tags[:3], *tags[4:], (700, "B", len(SECRET), SECRET, True)],
    )
    return out.getvalue() + SECRET


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_planted_name_is_gone(kind: str, form: str, tmp_path: Path) -> None:
    content = with_secrets(kind)
    assert SECRET in content
    kept = read(tmp_path, {"a": content}, CanonicalForm(rasters=form))
    written = kept.files[0].path.read_bytes()
    assert SECRET not in written
    assert kept.actions["metadata.dropped"] > 0


def test_canonical_png_has_no_chunk_but_those_of_pixels(tmp_path: Path) -> None:
    written = read(tmp_path, {"a": with_secrets("PNG")}).files[0].path.read_bytes()
    kinds, at = set(), 8
    while at < len(written):
        length = int.from_bytes(written[at : at + 4])
        kinds.add(written[at + 4 : at + 8])
        at += 12 + length
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}


def test_canonical_tiff_has_no_tag_but_those_of_pixels(tmp_path: Path) -> None:
    path = read(tmp_path, {"a": with_secrets("TIFF")}, CanonicalForm(rasters="tiff")).files[0].path
    with tifffile.TiffFile(path) as opened:
        found = {tag.name for tag in opened.pages[0].tags}
    assert found == {
        "ImageWidth", "ImageLength", "BitsPerSample", "Compression",
        "PhotometricInterpretation", "StripOffsets", "SamplesPerPixel", "RowsPerStrip",
        "StripByteCounts", "PlanarConfiguration", "XResolution", "YResolution", "ResolutionUnit",
    }  # fmt: skip


def test_thumbnail_page_is_not_kept(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(COLOUR, photometric="rgb", metadata=None)
        writer.write(COLOUR[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
    kept = read(tmp_path, {"a.tif": out.getvalue()}, CanonicalForm(rasters="tiff"))
    assert tifffile.imread(kept.files[0].path).shape == COLOUR.shape


def test_colour_profiles_own_words_do_not_become_a_fact(tmp_path: Path) -> None:
    kept = read(tmp_path, {"a": with_secrets("PNG")})
    assert kept.facts["colour_profile"] == "other"
    assert NAME not in str(kept)


def lettered() -> bytes:
    image, out = Image.new("RGB", (400, 300), (40, 40, 40)), io.BytesIO()
    ImageDraw.Draw(image).text(
        (10, 10), "VANDERBILT ANNE", fill="white", font=ImageFont.load_default(size=24)
    )
    image.save(out, "PNG")
    return out.getvalue()


def test_burned_in_text_holds_the_case_back(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError):
        read(tmp_path, {"a": lettered()}, plan=Deidentification(burned_in=BurnedIn.QUARANTINE))
    assert list((tmp_path / "canonical").iterdir()) == []


def test_burned_in_text_is_blanked(tmp_path: Path) -> None:
    kept = read(tmp_path, {"a": lettered()}, plan=Deidentification(burned_in=BurnedIn.BLANK))
    with Image.open(kept.files[0].path) as image:
        assert np.asarray(image).max() == 40
    assert kept.actions["pixels.blanked"] == 1


def test_hidden_text_behind_the_pixels_of_a_png_is_gone(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in COLOUR)
    packed = zlib.compress(rows + SECRET)
    out = io.BytesIO()
    Image.fromarray(COLOUR).save(out, "PNG")
    head = out.getvalue()[: 8 + 25]
    made = head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    kept = read(tmp_path, {"a": made}).files[0].path
    with Image.open(kept) as image:
        np.testing.assert_array_equal(np.asarray(image), COLOUR)
    assert SECRET not in kept.read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data).to_bytes(4)
    return len(data).to_bytes(4) + kind + data + check
