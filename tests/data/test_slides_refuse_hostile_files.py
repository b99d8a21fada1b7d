"""Slides that lie about sizes, loop, break off, or are nonsense: a refusal, never a crash."""

import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.data.slide_files import halves, request, tissue, write_pyramid_tiff, write_svs

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats import slides
from proctor_workers.hidden_data.formats.codestreams import (
    CodestreamError,
    Stream,
    bare_jpeg,
    bare_jpeg2000,
)

FLIPS = 150


def small(path: Path, **options: object) -> Path:
    """A pyramid of few bytes, so that a flipped one is likely to matter."""
    base = tissue()[:64, :64]
    with tifffile.TiffWriter(path) as out:
        for level in (base, halves(base, 2)):
            out.write(level, tile=(16, 16), photometric="rgb", metadata=None, **options)
    return path


def flipped(content: bytes, seed: int) -> bytes:
    changed, draw = bytearray(content), random.Random(seed)  # noqa: S311  a test's draws
    for _ in range(draw.randint(1, 12)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    whole = seed % 5 > 0
    return bytes(changed if whole else changed[: draw.randint(len(changed) // 2, len(changed))])


@pytest.mark.parametrize("compression", ["jpeg", "zlib", "lzw"])
def test_flipped_bytes_give_a_slide_or_a_refusal(compression: str, tmp_path: Path) -> None:
    good = small(tmp_path / "good.tif", compression=compression).read_bytes()
    path, outcomes = tmp_path / "bad.tif", set()
    for seed in range(FLIPS):
        path.write_bytes(flipped(good, seed))
        try:
            slides.is_slide(path)
            slides.read(request(tmp_path, path))
            outcomes.add("read")
        except UnreadableFileError as exc:
            outcomes.add(exc.file)

    assert outcomes == {"read", "bad.tif"}


def test_every_way_of_breaking_off_is_refused(tmp_path: Path) -> None:
    good = write_svs(tmp_path / "good.svs").read_bytes()
    path = tmp_path / "bad.svs"
    for length in (0, 3, 8, 20, 4096, len(good) // 2, len(good) - 300_000):
        path.write_bytes(good[:length])
        with pytest.raises(UnreadableFileError):
            slides.read(request(tmp_path, path))


def test_directories_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.tif"
    entry = struct.pack("<HHII", 256, 4, 1, 16)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry
                     + struct.pack("<I", 8))  # fmt: skip

    with pytest.raises(UnreadableFileError, match="damaged slide"):
        slides.read(request(tmp_path, path))


def overwrite(path: Path, name: str, value: int, page: int = 0) -> Path:
    with tifffile.TiffFile(path, mode="r+") as slide:
        slide.pages[page].tags[name].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImageWidth", 4_000_000_000),
        ("ImageLength", 2_000_000),
        ("TileWidth", 1_000_000_000),
        ("TileLength", 0),
        ("SamplesPerPixel", 60_000),
        ("Compression", 34_887),
        ("Compression", 50_001),
    ],
)
def test_sizes_that_lie_are_refused(name: str, value: int, tmp_path: Path) -> None:
    path = overwrite(write_pyramid_tiff(tmp_path / "slide.tif"), name, value)

    with pytest.raises(UnreadableFileError):
        slides.read(request(tmp_path, path))


def test_a_tile_that_inflates_without_end_is_refused_before_it_does(tmp_path: Path) -> None:
    path = small(tmp_path / "bomb.tif", compression="zlib")
    bomb = zlib.compress(bytes(1 << 28), 9)
    for _ in range(2):  # the first time, longer lists are put at the end of the file
        end = path.stat().st_size
        with tifffile.TiffFile(path, mode="r+") as slide:
            tags = slide.pages.first.tags
            tags[324].overwrite([end, *tags[324].value[1:]], dtype=4)
            tags[325].overwrite([len(bomb), *tags[325].value[1:]], dtype=4)
    with path.open("ab") as out:
        out.write(bomb)

    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="damaged tile"):
        slides.read(request(tmp_path, path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 32 << 20


def test_a_tile_shared_without_end_is_refused(tmp_path: Path) -> None:
    path = small(tmp_path / "shared.tif", compression=None)
    with tifffile.TiffFile(path, mode="r+") as slide:
        tags = slide.pages.first.tags
        size = path.stat().st_size
        tags[324].overwrite([0] * 16)
        tags[325].overwrite([size - 1] * 16)

    with pytest.raises(UnreadableFileError, match="repeats its tiles"):
        slides.read(request(tmp_path, path))


def test_a_tile_of_another_size_is_refused(tmp_path: Path) -> None:
    path = overwrite(small(tmp_path / "slide.tif", compression="jpeg"), "TileWidth", 32)

    with pytest.raises(UnreadableFileError):
        slides.read(request(tmp_path, path))


@pytest.mark.parametrize("bare", [bare_jpeg, bare_jpeg2000])
def test_streams_of_noise_are_refused(bare: Callable[[bytes], Stream]) -> None:
    draw = random.Random(1)  # noqa: S311  a test's draws
    for start in (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd8\xff\xda\x00\x02"):
        for _ in range(200):
            noise = start + draw.randbytes(draw.randint(0, 200))
            try:
                bare(noise)
            except CodestreamError:
                continue


def test_memory_does_not_grow_with_the_slide(tmp_path: Path) -> None:
    peaks = []
    for factor in (1, 4):
        path = tmp_path / f"{factor}.tif"
        base = np.tile(tissue()[:512, :512], (factor, factor, 1))
        with tifffile.TiffWriter(path) as out:
            for level in (base, halves(base, 4 * factor)):
                out.write(level, tile=(256, 256), photometric="rgb", metadata=None)
        tracemalloc.start()
        slides.read(request(tmp_path, path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]
