"""Slides for tests: real histology as SVS, pyramid TIFF and OME-TIFF, with planted names."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import skimage.data
import tifffile

from proctor_workers.hidden_data.case_files import CanonicalForm, ReadRequest, SourceFile
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

NAME = "MUSTERMANN"
APERIO = (
    "Aperio Image Library v12.0.15 \r\n1536x1024 [0,0 1536x1024] (256x256) JPEG/RGB Q=70|"
    f"AppMag = 20|MPP = 0.4990|ScanScope ID = SS1436|Filename = {NAME}|Date = 12/29/09"
)
TILE = (256, 256)
KEYS = Pseudonyms(bytes(32), "coh").patient_keys("P001")


def tissue() -> np.ndarray:
    """1024 × 1536 × 3: more than one tile each way, and different everywhere."""
    one = skimage.data.immunohistochemistry()
    return np.tile(one, (2, 3, 1))[:1000, :1500].copy()


def halves(picture: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = (side // factor for side in picture.shape[:2])
    whole = picture[: rows * factor, : columns * factor].astype(np.uint32)
    sums = whole.reshape(rows, factor, columns, factor, -1).sum(axis=(1, 3))
    return (sums // factor**2).astype(np.uint8)


def label() -> np.ndarray:
    picture = np.full((200, 160, 3), 255, np.uint8)
    picture[40:60, 20:140] = 0
    return picture


def write_svs(path: Path, **options: Any) -> Path:
    base = tissue()
    coded: dict[str, Any] = {
        "tile": TILE, "photometric": "rgb", "compression": "jpeg", "metadata": None,
        "compressionargs": {"level": 80}, "software": NAME, "datetime": "2009:12:29 09:59:15",
    } | options  # fmt: skip
    plain: dict[str, Any] = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as out:
        out.write(base, description=APERIO, **coded)
        out.write(halves(base, 4), description=f"{NAME}\r\nthumbnail", **plain)
        out.write(halves(base, 4), description=f"Aperio {NAME}", **coded)
        out.write(label(), description=f"{NAME}\r\nlabel 160x200", subfiletype=1, **plain)
        out.write(label(), description=f"{NAME}\r\nmacro 160x200", subfiletype=9, **plain)
    return path


def write_pyramid_tiff(
    path: Path, *, label_as_level: bool = False, bigtiff: bool = False, **options: Any
) -> Path:
    base = tissue()
    coded: dict[str, Any] = {
        "tile": TILE, "photometric": "rgb", "compression": "jpeg", "metadata": None,
        "resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER",
    } | options  # fmt: skip
    lower = halves(base, 4)
    if label_as_level:
        lower = np.full_like(lower, 255)
        lower[40:60, 20:140] = 0
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as out:
        out.write(base, description=NAME, **coded)
        out.write(halves(base, 2), subfiletype=1, **coded)
        out.write(lower, subfiletype=1, **coded)
        out.write(label(), subfiletype=1, **coded)
    return path


def write_ome(path: Path) -> Path:
    base = tissue()
    coded: dict[str, Any] = {"tile": TILE, "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as out:
        metadata = {
            "axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm", "Name": NAME,
        }  # fmt: skip
        out.write(base, subifds=2, metadata=metadata, **coded)
        out.write(halves(base, 2), subfiletype=1, **coded)
        out.write(halves(base, 4), subfiletype=1, **coded)
        out.write(label(), photometric="rgb", metadata={"Name": f"label {NAME}"})
    return path


def apart(program: str, *words: Path) -> str:
    """Run Python in a process of its own: wsidicom changes pydicom's behaviour for all."""
    command = [sys.executable, "-W", "ignore", "-c", "import sys\n" + program]
    done = subprocess.run([*command, *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout


def to_dicom(svs: Path, folder: Path) -> Path:
    program = "from wsidicomizer import WsiDicomizer\nWsiDicomizer.convert(*sys.argv[1:])"
    apart(program, svs, folder)
    return folder


def with_comments(path: Path) -> Path:
    """Give every JPEG tile a comment, an EXIF segment and a tail that name the patient.

    The tiles are moved to the end of a classic little-endian file, where they have room.
    """
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as slide:
        for page in slide.pages:
            if not page.is_tiled:
                continue
            places, lengths = page.tags[324], page.tags[325]
            for index in range(len(page.dataoffsets)):
                begin, length = page.dataoffsets[index], page.databytecounts[index]
                tile = bytes(content[begin : begin + length])
                noted = tile[:2] + _segment(0xFE) + _segment(0xE1) + tile[2:] + NAME.encode()
                for tag, value in ((places, len(content)), (lengths, len(noted))):
                    struct.pack_into("<I", content, tag.valueoffset + 4 * index, value)
                content += noted
    path.write_bytes(content)
    return path


def _segment(marker: int) -> bytes:
    text = f"Patient {NAME}".encode()
    return bytes((0xFF, marker)) + (len(text) + 2).to_bytes(2) + text


def jpeg_tiles(picture: np.ndarray) -> tuple[bytes, list[bytes]]:
    """Return the tables that all tiles share, with a comment, and the tiles without them."""
    tables, found = b"", []
    for tile in whole_tiles(picture):
        stream = imagecodecs.jpeg_encode(tile, level=80)
        begin = stream.index(b"\xff\xdb")  # the tables lie before and behind the frame header
        frame, huffman, scan = (
            stream.index(mark) for mark in (b"\xff\xc0", b"\xff\xc4", b"\xff\xda")
        )
        tables = (
            stream[:2] + _segment(0xFE) + stream[begin:frame] + stream[huffman:scan] + b"\xff\xd9"
        )
        found.append(stream[:begin] + stream[frame:huffman] + stream[scan:])
    return tables, found


def whole_tiles(picture: np.ndarray) -> Iterator[np.ndarray]:
    """Yield tiles row by row; those at the edges are filled up with black."""
    rows, columns = (-(-side // TILE[0]) for side in picture.shape[:2])
    padded = np.zeros((rows * TILE[0], columns * TILE[1], 3), np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    for row in range(rows):
        for column in range(columns):
            yield padded[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256]


def jpeg2000_tiles(picture: np.ndarray) -> list[bytes]:
    """Return codestreams of whole tiles, each with a comment."""
    found = []
    for tile in whole_tiles(picture):
        stream = imagecodecs.jpeg2k_encode(tile, level=0, codecformat="J2K", reversible=True)
        text = f"\0\1Patient {NAME}".encode()
        comment = b"\xff\x64" + (len(text) + 2).to_bytes(2) + text
        size = int.from_bytes(stream[4:6])
        found.append(stream[: 4 + size] + comment + stream[4 + size :])
    return found


def request(tmp_path: Path, *paths: Path, **changes: Any) -> ReadRequest:
    folder = tmp_path / "canonical"
    folder.mkdir(exist_ok=True)
    return ReadRequest(
        files=tuple(SourceFile(name=path.name, path=path) for path in paths),
        keys=KEYS,
        deidentification=changes.pop("deidentification", Deidentification()),
        form=CanonicalForm(**changes),
        folder=folder,
    )
