"""Takes text out of compressed tiles: what decodes the pixels stays, to the byte, and nothing else.

JPEG (ITU-T T.81) keeps application data and comments between its tables; JPEG 2000 (ITU-T T.800)
comments in its headers. Both may follow the end of the picture with anything. The entropy-coded
data are carried over as they are, so that the decoded pixels cannot change.
"""

import re
from dataclasses import dataclass

_SOI, _EOI, _SOS = b"\xff\xd8", 0xD9, 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3})  # Huffman coded; what slides and their readers have
# Tables and headers that decoding needs (T.81 table B.1): DHT, DAC, DQT, DNL, DRI.
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
_KEPT = _FRAMES | _TABLES | {_SOS}
_JFIF = re.compile(rb"\xff\xe0..(JFIF\x00.{7})", re.DOTALL)  # what follows is a thumbnail
_ADOBE = re.compile(rb"\xff\xee\x00\x0eAdobe.{7}", re.DOTALL)  # says how colours are coded
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)

_SOC, _SIZ, _SOT, _SOD, _EOC, _COM = b"\xff\x4f", 0x51, 0x90, 0x93, b"\xff\xd9", 0x64
# T.800 table A.2: CAP, COD, COC, TLM, PLM, PLT, CPF, QCD, QCC, RGN, POC, PPM, PPT, CRG.
_HEADERS = frozenset(
    {0x50, 0x52, 0x53, 0x55, 0x57, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63}
)


class CodestreamError(ValueError):
    """A stream is no JPEG or JPEG 2000, or breaks off."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream without text, and what its own header says of its picture (0 where it has none)."""

    content: bytes
    columns: int = 0
    rows: int = 0
    samples: int = 0
    bits: int = 0


def bare_jpeg(stream: bytes) -> Stream:
    """Return a JPEG stream (or one of tables only) with what decoding needs.

    Kept are tables, frame and scan headers, scans, and the two application segments that decoders
    look at: JFIF's without a thumbnail and Adobe's (T.872). What follows the end is cut off.

    Raises:
        CodestreamError: it is none.
    """
    if stream[:2] != _SOI:
        raise CodestreamError("no JPEG")
    kept, place, said = [_SOI], 2, (0, 0, 0, 0)
    while True:
        marker, place = _marker(stream, place)
        if marker == _EOI:
            break
        segment, place = _segment(stream, marker, place)
        if marker in _FRAMES:
            said = _frame(segment)
        if marker in _KEPT or _ADOBE.fullmatch(segment):
            kept.append(segment)
        elif jfif := _JFIF.match(segment):
            kept.append(b"\xff\xe0\x00\x10" + jfif[1] + b"\0\0")
        if marker == _SOS:
            end = _SCAN_END.search(stream, place)
            kept.append(stream[place : end.start() if end else len(stream)])
            if end is None:  # some writers leave the end marker out
                break
            place = end.start()
    return Stream(b"".join([*kept, b"\xff\xd9"]), *said)


def coarseness(stream: bytes) -> float:
    """Return the mean of a JPEG stream's first quantisation table; 0 where it has none.

    It tells by which quality an encoder was set, which every reader of the tiles can see.
    """
    place = stream.find(b"\xff\xdb")
    if place < 0 or len(stream) < place + 69:
        return 0.0
    wide = stream[place + 4] >> 4  # 16-bit entries (T.81 B.2.4.1)
    table = stream[place + 5 : place + 5 + 64 * (1 + wide)]
    if wide:
        return sum(high << 8 | low for high, low in zip(table[::2], table[1::2], strict=False)) / 64
    return sum(table) / 64


def _marker(stream: bytes, place: int) -> tuple[int, int]:
    """Return the marker at a place and where its segment goes on; fill bytes are skipped."""
    start = place
    while place < len(stream) and stream[place] == 0xFF:
        place += 1
    if place == start or place >= len(stream):
        raise CodestreamError("no marker where one must be")
    return stream[place], place + 1


def _segment(stream: bytes, marker: int, place: int) -> tuple[bytes, int]:
    length = int.from_bytes(stream[place : place + 2])
    if length < 2 or place + length > len(stream):
        raise CodestreamError("a segment breaks off")
    return bytes((0xFF, marker)) + stream[place : place + length], place + length


def _frame(segment: bytes) -> tuple[int, int, int, int]:
    if len(segment) < 10:
        raise CodestreamError("a frame header breaks off")
    rows, columns = int.from_bytes(segment[5:7]), int.from_bytes(segment[7:9])
    return columns, rows, segment[9], segment[4]


def bare_jpeg2000(stream: bytes) -> Stream:
    """Return a JPEG 2000 codestream without comments.

    Comments of the main header are taken out; those of a tile-part are overwritten with zeros,
    because the lengths of tile-parts stand in several places.

    Raises:
        CodestreamError: it is none, or is wrapped in the boxes of a JP2 file.
    """
    if stream[:2] != _SOC or stream[2:4] != bytes((0xFF, _SIZ)):
        raise CodestreamError("no JPEG 2000 codestream")
    kept, place = [_SOC], 2
    size = _segment(stream, _SIZ, 4)[0]
    while True:
        marker, begin = _header_marker(stream, place)
        if marker == _SOT:
            break
        segment, place = _segment(stream, marker, begin)
        if marker == _SIZ or marker in _HEADERS:
            kept.append(segment)
    kept += _tile_parts(stream, place)
    return Stream(b"".join([*kept, _EOC]), *_size(size))


def _header_marker(stream: bytes, place: int) -> tuple[int, int]:
    if place + 2 > len(stream) or stream[place] != 0xFF:
        raise CodestreamError("no marker where one must be")
    return stream[place + 1], place + 2


def _tile_parts(stream: bytes, place: int) -> list[bytes]:
    parts = []
    while stream[place : place + 2] != _EOC:
        marker, begin = _header_marker(stream, place)
        if marker != _SOT or begin + 10 > len(stream):
            raise CodestreamError("no tile-part where one must be")
        length = int.from_bytes(stream[begin + 4 : begin + 8])
        end = place + length if length else _last_end(stream)
        if end <= begin + 10 or end > len(stream):
            raise CodestreamError("a tile-part breaks off")
        parts.append(_without_comments(stream[place:end]))
        place = end
        if place == len(stream):  # the end marker is missing
            break
    return parts


def _last_end(stream: bytes) -> int:
    """Return where a tile-part of unknown length ends: at the end marker (T.800 A.4.2)."""
    end = stream.rfind(_EOC)
    return end if end > 0 else len(stream)


def _without_comments(part: bytes) -> bytes:
    cleaned, place = bytearray(part), 12
    while True:
        marker, begin = _header_marker(part, place)
        if marker == _SOD:
            return bytes(cleaned)
        segment, place = _segment(part, marker, begin)
        if marker == _COM:
            cleaned[begin + 2 : place] = bytes(len(segment) - 4)
        elif marker not in _HEADERS:
            raise CodestreamError("an unknown segment in a tile-part")


def _size(segment: bytes) -> tuple[int, int, int, int]:
    """Return columns, rows, components and bits of a SIZ segment (T.800 A.5.1)."""
    if len(segment) < 41:
        raise CodestreamError("a size header breaks off")
    right, bottom, left, top = (int.from_bytes(segment[at : at + 4]) for at in range(6, 22, 4))
    return right - left, bottom - top, int.from_bytes(segment[38:40]), (segment[40] & 0x7F) + 1
