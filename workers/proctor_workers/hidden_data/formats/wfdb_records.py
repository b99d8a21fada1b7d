"""Reads WFDB records: a header (`.hea`) and the signal files that it names.

Comments are not read: PhysioNet's hold age, sex and diagnosis. Source: WFDB Applications Guide,
header(5) and signal(5).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.recordings import (
    LARGEST_RECORDING,
    Channel,
    Recording,
    Samples,
)

LARGEST_HEADER = 1 << 20
MOST_SIGNALS = 1024
_RECORD = re.compile(
    r"\S+\s+(?P<signals>\d{1,4})(?:\s+(?P<rate>[\d.eE+-]{1,20})\S*(?:\s+(?P<samples>\d{1,12}).*)?)?"
)
_SIGNAL = re.compile(
    r"(?P<file>\S+)\s+(?P<format>\d{1,3})(?:x(?P<per_frame>\d{1,6}))?(?::(?P<skew>\d+))?"
    r"(?:\+(?P<offset>\d{1,9}))?"
    r"(?:\s+(?P<gain>[\d.eE+-]{1,24})(?:\((?P<baseline>-?\d{1,10})\))?(?:/(?P<unit>\S{1,24}))?"
    r"(?:\s+\d+(?:\s+(?P<zero>-?\d{1,10})(?:\s+(?P<initial>-?\d{1,10})"
    r"(?:\s+-?\d+(?:\s+\d+(?:\s+(?P<name>.*))?)?)?)?)?)?)?\s*"
)
_DEFAULT_RATE, _DEFAULT_GAIN = 250.0, 200.0
_DAMAGED = ("is a damaged WFDB header", "Export the record again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signal:
    file: str
    format: int
    per_frame: int
    offset: int
    initial: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says: frames a second, frames (0: as many as there are), signals."""

    rate: float
    frames: int
    signals: tuple[_Signal, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of the signal files, each once."""
        return tuple(dict.fromkeys(signal.file for signal in self.signals))


def read_header(path: Path) -> Header:
    """Read a header.

    Raises:
        UnreadableFileError: it is damaged, of several segments, or its signals are skewed.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_HEADER).decode("latin-1")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and re.match(r"\S+/\d+\s", lines[0]):
        raise UnreadableFileError(
            "is a record of several segments", "Join them into one, with wfdbmerge or xform."
        )
    found = _RECORD.fullmatch(lines[0]) if lines else None
    count = int(found["signals"]) if found else 0
    if found is None or not 0 < count <= MOST_SIGNALS or len(lines) < 1 + count:
        raise UnreadableFileError(*_DAMAGED)
    return Header(
        rate=_float(found["rate"], _DEFAULT_RATE),
        frames=int(found["samples"] or 0),
        signals=tuple(_signal(line) for line in lines[1 : 1 + count]),
    )


def _signal(line: str) -> _Signal:
    found = _SIGNAL.fullmatch(line)
    if found is None:
        raise UnreadableFileError(*_DAMAGED)
    if int(found["skew"] or 0):
        raise UnreadableFileError("has signals that are skewed", "Align them, with xform.")
    if int(found["format"]) not in _DECODERS:
        raise UnreadableFileError(
            "has samples in a format that is not read", "Rewrite it in format 16, with xform."
        )
    gain = _float(found["gain"], _DEFAULT_GAIN) or _DEFAULT_GAIN  # 0: not calibrated
    zero = int(found["zero"] or 0)
    return _Signal(
        file=found["file"],
        format=int(found["format"]),
        per_frame=int(found["per_frame"] or 1),
        offset=int(found["offset"] or 0),
        initial=int(found["initial"] or zero),
        channel=Channel(
            name=found["name"] or "",
            unit=found["unit"] or "mV",
            gain=gain,
            baseline=float(found["baseline"] if found["baseline"] is not None else zero),
        ),
    )


def _float(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError as exc:
        raise UnreadableFileError(*_DAMAGED) from exc


def read_record(header: Header, paths: Mapping[str, Path]) -> list[Recording]:
    """Read a record's samples, exactly; signals of different rates become recordings of their own.

    Raises:
        UnreadableFileError: a signal file is shorter than the header says, or too large.
    """
    columns: list[tuple[_Signal, Samples]] = []
    for name, group in groupby(header.signals, key=lambda signal: signal.file):
        columns += _columns(header, tuple(group), paths[name])
    rates: dict[int, list[tuple[_Signal, Samples]]] = {}
    for signal, column in columns:
        rates.setdefault(signal.per_frame, []).append((signal, column))
    return [
        Recording(
            rate=header.rate * per_frame,
            channels=tuple(signal.channel for signal, _ in group),
            samples=_stacked([column for _, column in group]),
        )
        for per_frame, group in rates.items()
    ]


def _stacked(columns: Sequence[Samples]) -> Samples:
    """Return columns side by side; where their types differ, missing stays missing."""
    if len({len(column) for column in columns}) > 1:
        raise UnreadableFileError("has signals of different lengths", "Export the record again.")
    if len({column.dtype for column in columns}) == 1:
        return np.stack(columns, axis=1)
    least = np.iinfo(np.int32).min
    return np.stack(
        [
            np.where(column == np.iinfo(column.dtype).min, least, column.astype(np.int32))
            for column in columns
        ],
        axis=1,
    )


def _columns(
    header: Header, signals: tuple[_Signal, ...], path: Path
) -> list[tuple[_Signal, Samples]]:
    """Return the signals of one file, which lie frame by frame."""
    frame = sum(signal.per_frame for signal in signals)
    decode, bits = _DECODERS[signals[0].format]
    if len({(signal.format, signal.offset) for signal in signals}) > 1 or not frame:
        raise UnreadableFileError(*_DAMAGED)
    size = path.stat().st_size - signals[0].offset
    frames = header.frames or int(size / (bits / 8)) // frame
    count = frames * frame
    if count * 4 > LARGEST_RECORDING * 2:
        raise UnreadableFileError("is too long once decoded", "Split the record.")
    needed = _bytes_needed(count, signals[0].format, bits)
    if needed > size:
        raise UnreadableFileError("has fewer samples than its header says", "Copy it again.")
    with path.open("rb") as file:
        file.seek(signals[0].offset)
        values = decode(file.read(needed), count)
    frames_by_values = values.reshape(frames, frame)
    found, begin = [], 0
    for signal in signals:
        column = frames_by_values[:, begin : begin + signal.per_frame].reshape(-1)
        begin += signal.per_frame
        found.append((signal, _summed(column, signal) if signal.format == 8 else column))
    return found


def _bytes_needed(count: int, kind: int, bits: float) -> int:
    if kind in {310, 311}:
        return -(-count // 3) * 4
    return -(-int(count * bits) // 8)


def _summed(differences: Samples, signal: _Signal) -> Samples:
    values: Samples = differences.astype(np.int64).cumsum() + signal.initial
    return values.astype(np.int32)


def _missing(values: Samples, sentinel: int) -> Samples:
    """Return 16-bit samples, with the format's sign for a missing one put into its place."""
    values[values == sentinel] = -32768
    return values


def _plain(dtype: str) -> Callable[[bytes, int], Samples]:
    def decode(content: bytes, count: int) -> Samples:
        wide = np.dtype(dtype)
        return np.frombuffer(content, wide, count).astype(wide.newbyteorder("="))

    return decode


def _format_80(content: bytes, count: int) -> Samples:
    return _missing(np.frombuffer(content, "u1", count).astype(np.int16) - np.int16(128), -128)


def _format_160(content: bytes, count: int) -> Samples:
    return (np.frombuffer(content, "<u2", count) ^ np.uint16(0x8000)).view(np.int16)


def _format_24(content: bytes, count: int) -> Samples:
    triples = np.frombuffer(content, "u1", 3 * count).reshape(-1, 3)
    wide = np.zeros((count, 4), np.uint8)
    wide[:, 1:] = triples
    values: Samples = wide.view("<i4").reshape(-1) >> 8
    values[values == -(1 << 23)] = np.iinfo(np.int32).min
    return values


def _format_212(content: bytes, count: int) -> Samples:
    padded = content + bytes(-len(content) % 3)
    triples = np.frombuffer(padded, "u1").reshape(-1, 3).astype(np.int16)
    values = np.empty((len(triples), 2), np.int16)
    values[:, 0] = triples[:, 0] | (triples[:, 1] & 0x0F) << 8
    values[:, 1] = triples[:, 2] | (triples[:, 1] & 0xF0) << 4
    return _missing(_signed(values.reshape(-1)[:count], 12), -2048)


def _format_310(content: bytes, count: int) -> Samples:
    words = np.frombuffer(content, "<u2").reshape(-1, 2)
    values = np.empty((len(words), 3), np.int16)
    values[:, 0] = words[:, 0] >> 1 & 0x3FF
    values[:, 1] = words[:, 1] >> 1 & 0x3FF
    values[:, 2] = words[:, 0] >> 11 | words[:, 1] >> 11 << 5
    return _missing(_signed(values.reshape(-1)[:count], 10), -512)


def _format_311(content: bytes, count: int) -> Samples:
    words = np.frombuffer(content, "<u4")
    values = np.stack([words >> shift & 0x3FF for shift in (0, 10, 20)], axis=1)
    return _missing(_signed(values.astype(np.int16).reshape(-1)[:count], 10), -512)


def _signed(values: Samples, bits: int) -> Samples:
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values).astype(np.int16)


# Format: how its samples are decoded, and their bits; FLAC (508, 516, 524) is refused by name.
_DECODERS: dict[int, tuple[Callable[[bytes, int], Any], float]] = {
    8: (_plain("i1"), 8), 16: (_plain("<i2"), 16), 24: (_format_24, 24), 32: (_plain("<i4"), 32),
    61: (_plain(">i2"), 16), 80: (_format_80, 8), 160: (_format_160, 16),
    212: (_format_212, 12), 310: (_format_310, 32 / 3), 311: (_format_311, 32 / 3),
}  # fmt: skip
