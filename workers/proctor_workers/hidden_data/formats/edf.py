"""Reads EDF, EDF+ and BDF recordings: the samples and what scales them, nothing of who or when.

The header's patient, recording, date and time fields and the annotation channels are not read.
Source: Kemp et al., A simple format for exchange of digitized polygraphic recordings (1992), and
EDF+ (2003); BDF as BioSemi describes it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.recordings import (
    LARGEST_RECORDING,
    Channel,
    Recording,
    Samples,
)

EDF_MAGIC, BDF_MAGIC = b"0       ", b"\xffBIOSEMI"
_HEADER = 256  # bytes, and as many again for every signal
MOST_SIGNALS = 512
_ANNOTATIONS = frozenset({"EDF Annotations", "BDF Annotations", "BDF Status", "Status"})
# The signals' fields stand one kind after the other; their lengths, and which are read.
_FIELDS = (
    ("label", 16), ("transducer", 80), ("unit", 8), ("physical_least", 8), ("physical_most", 8),
    ("digital_least", 8), ("digital_most", 8), ("filter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip
_DAMAGED = ("is a damaged EDF file", "Export it again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signal:
    label: str
    samples: int  # in a data record
    channel: Channel


def is_edf(head: bytes) -> bool:
    """Say whether a file is EDF or BDF, by its first bytes."""
    if len(head) < _HEADER or head[:8] not in {EDF_MAGIC, BDF_MAGIC}:
        return False
    return head[252:256].strip().isdigit() and head[184:192].strip().isdigit()


def read_edf(path: Path) -> list[Recording]:
    """Read a file's signals; those of different rates become recordings of their own.

    Raises:
        UnreadableFileError: it is damaged, too large, or has gaps in time (EDF+D).
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
        count = int(_number(head[252:256]))
        if not 0 < count <= MOST_SIGNALS:
            raise UnreadableFileError(*_DAMAGED)
        fields = file.read(_HEADER * count)
    if len(fields) < _HEADER * count:
        raise UnreadableFileError(*_DAMAGED)
    if head[192:197] in {b"EDF+D", b"BDF+D"}:
        raise UnreadableFileError("has gaps in time", "Export its parts, one file each.")
    signals = _signals(fields, count)
    seconds = _number(head[244:252])
    values = _records(path, signals, wide=head[:8] == BDF_MAGIC)
    return _recordings(signals, values, seconds)


def _signals(fields: bytes, count: int) -> list[_Signal]:
    said: dict[str, list[str]] = {}
    place = 0
    for name, length in _FIELDS:
        text = fields[place : place + length * count].decode("latin-1")
        said[name] = [text[at : at + length].strip() for at in range(0, len(text), length)]
        place += length * count
    return [
        _signal({name: values[index] for name, values in said.items()}) for index in range(count)
    ]


def _signal(said: dict[str, str]) -> _Signal:
    samples = int(_number(said["samples"]))
    least, most = _number(said["digital_least"]), _number(said["digital_most"])
    bottom, top = _number(said["physical_least"]), _number(said["physical_most"])
    annotations = said["label"] in _ANNOTATIONS
    if samples < 1 or ((least == most or bottom == top) and not annotations):
        raise UnreadableFileError(*_DAMAGED)
    gain = 1.0 if annotations else (most - least) / (top - bottom)
    channel = Channel(
        name=said["label"], unit=said["unit"], gain=gain, baseline=least - bottom * gain
    )
    return _Signal(label=said["label"], samples=samples, channel=channel)


def _records(path: Path, signals: list[_Signal], *, wide: bool) -> Samples:
    """Return data records × samples; a last record that breaks off is left out."""
    begin, width = _HEADER * (1 + len(signals)), 3 if wide else 2
    samples = sum(signal.samples for signal in signals)
    count = (path.stat().st_size - begin) // (samples * width)
    if count < 1:
        raise UnreadableFileError(*_DAMAGED)
    if count * samples * (4 if wide else 2) > LARGEST_RECORDING:
        raise UnreadableFileError("is too long once decoded", "Split the recording.")
    with path.open("rb") as file:
        file.seek(begin)
        content = np.frombuffer(file.read(count * samples * width), np.uint8)
    if not wide:
        return content.view("<i2").reshape(count, samples)
    padded = np.zeros((count * samples, 4), np.uint8)
    padded[:, 1:] = content.reshape(-1, 3)
    values: Samples = padded.view("<i4").reshape(count, samples) >> 8
    return values


def _recordings(signals: list[_Signal], values: Samples, seconds: float) -> list[Recording]:
    groups: dict[int, list[tuple[Channel, Samples]]] = {}
    begin = 0
    for signal in signals:
        column = values[:, begin : begin + signal.samples].reshape(-1)
        begin += signal.samples
        if signal.label not in _ANNOTATIONS:
            groups.setdefault(signal.samples, []).append((signal.channel, column))
    if not groups or seconds <= 0:
        raise UnreadableFileError("holds no signal", "Leave out files of annotations only.")
    return [
        Recording(
            rate=samples / seconds,
            channels=tuple(channel for channel, _ in group),
            samples=_without_missing(np.stack([column for _, column in group], axis=1)),
        )
        for samples, group in groups.items()
    ]


def _without_missing(values: Samples) -> Samples:
    """Return samples in a type whose least value none has: EDF knows no missing ones."""
    if values.dtype.itemsize == 2 and bool((values == -32768).any()):
        return values.astype(np.int32)
    return values


def _number(text: bytes | str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise UnreadableFileError(*_DAMAGED) from exc
