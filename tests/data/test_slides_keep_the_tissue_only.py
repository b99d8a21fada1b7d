"""A whole slide in TIFF: every level as it was, to the pixel, and nothing that names anybody."""

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
import tiffslide
from PIL import Image, ImageDraw
from tests.data.slide_files import (
    NAME,
    TILE,
    halves,
    jpeg2000_tiles,
    jpeg_tiles,
    label,
    request,
    tissue,
    with_comments,
    write_ome,
    write_pyramid_tiff,
    write_svs,
)

from proctor_sdk.fingerprints.images import read_pixels
from proctor_sdk.fingerprints.pixels import perceptual_hash, pixel_digest
from proctor_workers.hidden_data.case_files import (
    CaseContent,
    QuarantineError,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Deidentification
from proctor_workers.hidden_data.formats import slides
from proctor_workers.hidden_data.formats.registry import read_case

KINDS = {
    "svs": write_svs,
    "jpeg": write_pyramid_tiff,
    "lzw": lambda path: write_pyramid_tiff(path, compression="lzw", predictor=True),
    "deflate": lambda path: write_pyramid_tiff(path, compression="zlib", bigtiff=True),
    "packbits": lambda path: write_pyramid_tiff(path, compression="packbits"),
    "uncompressed": lambda path: write_pyramid_tiff(path, compression=None),
    "ome": write_ome,
}


@pytest.fixture(params=KINDS, scope="module")
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("original") / "slide.tif")


@pytest.fixture(scope="module")
def kept(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return canonical(tmp_path_factory.mktemp("kept"), original)


def canonical(tmp_path: Path, path: Path) -> Path:
    return read(tmp_path, path).files[0].path


def read(tmp_path: Path, path: Path) -> CaseContent:
    return read_case(request(tmp_path, path))


def levels(path: Path) -> list[np.ndarray]:
    with tifffile.TiffFile(path) as slide:
        return [level.asarray() for level in slide.series[0].levels]


def test_every_level_has_the_same_pixels_for_tifffile(original: Path, kept: Path) -> None:
    before, after = levels(original), levels(kept)

    assert len(before) == len(after) > 1
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_every_level_has_the_same_pixels_for_openslide(original: Path, kept: Path) -> None:
    before, after = levels(original), openslide.OpenSlide(kept)

    assert after.level_count == len(before)
    for index, level in enumerate(before):
        size = after.level_dimensions[index]
        seen = np.asarray(after.read_region((0, 0), index, size))[..., :3]
        if original.stat().st_size > 2_000_000:  # lossless; two JPEG decoders differ by rounding
            assert np.array_equal(seen, level)
        else:
            assert np.abs(seen.astype(int) - level).max() <= 3


def test_tiffslide_reads_scale_and_levels(tmp_path: Path) -> None:
    path = canonical(tmp_path, write_svs(tmp_path / "slide.svs"))

    with tiffslide.TiffSlide(path) as slide:
        assert slide.level_dimensions == ((1500, 1000), (375, 250))
        assert slide.properties["tiffslide.mpp-x"] == 0.499
        assert slide.properties["tiffslide.objective-power"] == 20


def test_no_planted_name_is_left(original: Path, kept: Path) -> None:
    assert NAME.encode() in original.read_bytes()
    assert NAME.encode() not in kept.read_bytes()


def test_comments_in_tiles_and_behind_them_are_gone(tmp_path: Path) -> None:
    plain = write_svs(tmp_path / "slide.svs")
    expected = levels(plain)
    noted = with_comments(plain)

    kept = canonical(tmp_path, noted)

    assert noted.read_bytes().count(NAME.encode()) > 50
    assert NAME.encode() not in kept.read_bytes()
    assert all(np.array_equal(*pair) for pair in zip(levels(kept), expected, strict=True))


def test_label_and_macro_are_in_no_page(kept: Path) -> None:
    with tifffile.TiffFile(kept) as slide:
        shapes = [page.shape for page in slide.pages]

    assert label().shape not in shapes


def test_no_date_software_or_maker_is_left(kept: Path) -> None:
    with tifffile.TiffFile(kept) as slide:
        tags = {tag.name for page in slide.pages for tag in page.tags}
        texts = [page.description for page in slide.pages if page.description]

    assert not tags & {"DateTime", "Software", "Make", "Model", "InterColorProfile", "XMP"}
    assert len(texts) == 1
    assert texts[0].startswith("Aperio Image\r\n1500x1000")


def test_jpeg_2000_tiles_lose_their_comments_only(tmp_path: Path) -> None:
    path, base = tmp_path / "slide.tif", tissue()
    with tifffile.TiffWriter(path) as out:
        for level, subfile in ((base, 0), (halves(base, 4), 1)):
            out.write(
                iter(jpeg2000_tiles(level)), shape=level.shape, dtype=np.uint8, tile=TILE,
                photometric="rgb", compression=33005, subfiletype=subfile, metadata=None,
            )  # fmt: skip
    assert NAME.encode() in path.read_bytes()

    kept = canonical(tmp_path, path)

    assert NAME.encode() not in kept.read_bytes()
    assert np.array_equal(levels(kept)[0], base)
    seen = openslide.OpenSlide(kept).read_region((0, 0), 0, (1500, 1000))
    assert np.array_equal(np.asarray(seen)[..., :3], base)


def test_reading_twice_gives_the_same_bytes(original: Path, kept: Path, tmp_path: Path) -> None:
    assert canonical(tmp_path, original).read_bytes() == kept.read_bytes()


def test_the_digest_is_that_of_the_smallest_level(tmp_path: Path) -> None:
    path = write_pyramid_tiff(tmp_path / "slide.tif", compression="lzw")

    file = read(tmp_path, path).files[0]

    assert file.decoded_pixel_sha256 == pixel_digest(halves(tissue(), 4))
    assert file.perceptual_hash


def test_a_vendor_who_trained_on_the_slide_has_the_same_digest(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "slide.svs")

    file = read(tmp_path, path).files[0]

    pixels = read_pixels(path)
    assert pixels is not None
    assert pixel_digest(pixels) == file.decoded_pixel_sha256
    assert perceptual_hash(pixels) == file.perceptual_hash


def test_facts_tell_scale_and_levels(tmp_path: Path) -> None:
    content = read(tmp_path, write_svs(tmp_path / "slide.svs"))

    assert content.facts["levels"] == 2
    assert content.facts["row_spacing"] == pytest.approx(0.000499)
    assert content.facts["magnification"] == 20
    assert content.facts["scanner"] == "SS1436"
    assert content.actions == {"associated_images_dropped": 3}
    assert content.grid is not None
    assert content.grid.size == (1000, 1500)


def test_how_tiles_were_compressed_is_a_trace(tmp_path: Path) -> None:
    found = []
    for level in (50, 95):
        path = write_svs(tmp_path / "slide.svs", compressionargs={"level": level})
        found.append(read(tmp_path, path).artefacts)

    assert {traces["tile_compression"] for traces in found} == {"7"}
    assert found[0]["tile_coarseness"] > 3 * found[1]["tile_coarseness"] > 0


def test_a_slide_without_scale_is_told(tmp_path: Path) -> None:
    path = write_pyramid_tiff(tmp_path / "slide.tif", resolution=(72, 72), resolutionunit="INCH")

    found = {finding.code for finding in read(tmp_path, path).findings}

    assert found == {"slide.missing_resolution", "slide.missing_magnification"}


def test_a_label_that_passes_for_a_level_goes_to_a_person(tmp_path: Path) -> None:
    path = write_pyramid_tiff(tmp_path / "slide.tif", label_as_level=True)

    with pytest.raises(QuarantineError, match="does not show what its base shows"):
        read(tmp_path, path)


def test_text_in_the_picture_goes_to_a_person_if_the_plan_asks(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    written = Image.fromarray(np.full((1000, 1500, 3), 230, np.uint8))
    ImageDraw.Draw(written).text((200, 400), f"{NAME} 1951", fill=(20, 20, 20), font_size=160)
    with tifffile.TiffWriter(path) as out:
        for level in (np.asarray(written), halves(np.asarray(written), 2)):
            out.write(level, tile=TILE, photometric="rgb", metadata=None)
    plan = Deidentification(burned_in=BurnedIn.QUARANTINE)

    with pytest.raises(QuarantineError, match="text in its picture"):
        read_case(request(tmp_path, path, deidentification=plan))


def test_a_grey_slide_keeps_its_pixels(tmp_path: Path) -> None:
    path, grey = tmp_path / "slide.tif", tissue()[..., 1]
    with tifffile.TiffWriter(path) as out:
        for level in (grey, halves(grey[..., None], 2)[..., 0]):
            out.write(level, tile=TILE, photometric="minisblack", compression="jpeg", metadata=None)

    after = levels(canonical(tmp_path, path))

    with tifffile.TiffFile(path) as slide:
        before = [page.asarray() for page in slide.pages]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_a_missing_tile_stays_missing(tmp_path: Path) -> None:
    path = write_pyramid_tiff(tmp_path / "slide.tif", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as slide:
        lengths = slide.pages.first.tags["TileByteCounts"]
        lengths.overwrite([0, *lengths.value[1:]])
    before = levels(path)

    after = levels(canonical(tmp_path, path))

    assert not before[0][:256, :256].any()
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_comments_in_shared_tables_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as out:
        for level in (tissue(), halves(tissue(), 4)):
            tables, tiles = jpeg_tiles(level)
            out.write(
                iter(tiles), shape=level.shape, dtype=np.uint8, tile=TILE, photometric="ycbcr",
                compression="jpeg", jpegtables=tables, metadata=None,
            )  # fmt: skip
    assert path.read_bytes().count(NAME.encode()) == 2

    kept = canonical(tmp_path, path)

    assert NAME.encode() not in kept.read_bytes()
    with tifffile.TiffFile(path) as slide:
        before = [page.asarray() for page in slide.pages]
    assert all(np.array_equal(*pair) for pair in zip(before, levels(kept), strict=True))
    assert np.abs(before[0].astype(int) - tissue()).mean() < 10
    openslide.OpenSlide(kept).read_region((0, 0), 0, (1500, 1000))


def test_a_plain_tiled_picture_is_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    tifffile.imwrite(path, tissue(), tile=TILE, photometric="rgb")

    assert not slides.is_slide(path)


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("<scn xmlns='http://www.leica-microsystems.com/scn/2010/10/01'>", "Leica SCN"),
        ("<iScan Magnification='20'/>", "Ventana BIF"),
    ],
)
def test_kinds_that_are_not_read_are_named(description: str, named: str, tmp_path: Path) -> None:
    path = write_pyramid_tiff(tmp_path / "slide.tif")
    with tifffile.TiffFile(path, mode="r+") as slide:
        slide.pages.first.tags["ImageDescription"].overwrite(description)

    with pytest.raises(UnreadableFileError, match=named):
        read(tmp_path, path)


def test_a_slide_that_is_no_tiff_is_named(tmp_path: Path) -> None:
    path = tmp_path / "slide.mrxs"
    path.write_bytes(b"\xff\xd8\xff")

    with pytest.raises(UnreadableFileError, match="is a MIRAX slide"):
        slides.read_other(request(tmp_path, path))


def test_a_focal_plane_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as out:
        for _ in range(2):
            out.write(tissue(), tile=TILE, photometric="rgb", metadata=None)

    with pytest.raises(UnreadableFileError, match="several planes"):
        read(tmp_path, path)
