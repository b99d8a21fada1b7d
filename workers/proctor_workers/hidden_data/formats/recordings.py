"""Writes signals of every origin in one form: a WFDB record with bare digital values.

`N.hea` says rate, gains, units and leads, `N.dat` holds the samples, little-endian and interleaved
(format 16, or 32 where 16 bits do not hold them): what every tool for physiological signals reads.
One record has one sampling rate. Source: WFDB Applications Guide, header(5) and signal(5).
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from proctor_sdk.fingerprints.pixels import pixel_digest
from proctor_workers.hidden_data.case_files import CanonicalFile, Fact, UnreadableFileError
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats.lead_names import (
    NO_UNIT,
    known_name,
    known_unit,
    modality,
)

LARGEST_RECORDING = 1 << 29  # bytes once decoded: a day of 12 leads at 250 Hz
RATES = (1e-6, 1e7)
_NARROW = 32767  # the least 16-bit value means that there is none
_CLIPPED_SAMPLES, _CLIPPED_RUNS = 5, 5  # in a row at an end of the range, and how often
_CLIPPED_SHARE = 0.001
_MANY_MISSING = 0.1

Samples = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One lead: physical = (digital − baseline) / gain, in `unit`; texts as at their origin."""

    name: str
    unit: str
    gain: float
    baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Signals of one sampling rate (Hz): samples × channels, int16 or int32.

    The least value of the type stands for a missing sample.
    """

    rate: float
    channels: tuple[Channel, ...]
    samples: Samples

    def __post_init__(self) -> None:
        good = math.isfinite(self.rate) and RATES[0] <= self.rate <= RATES[1]
        if not good or not self.channels or not self.samples.size:
            raise UnreadableFileError("holds no signal", "Leave it out, or export it again.")
        for channel in self.channels:
            if not (math.isfinite(channel.gain) and channel.gain != 0):
                raise UnreadableFileError("has a channel without scale", "Export it again.")
            if not abs(channel.baseline) < 2**31:
                raise UnreadableFileError("has a channel without zero", "Export it again.")

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Return where no value was sampled."""
        missing: npt.NDArray[np.bool_] = self.samples == np.iinfo(self.samples.dtype).min
        return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a recording comes from: the digest of its file, and its UID if it has one."""

    sha256: str
    uid: str = ""


def write_recording(
    folder: Path, position: int, recording: Recording, origin: Origin
) -> tuple[CanonicalFile, CanonicalFile]:
    """Write a record's two files: header and samples."""
    values, width = _widened(recording)
    content = values.tobytes()
    pixels = pixel_digest(np.where(recording.missing, np.int32(-(2**31)), recording.samples))
    header = _header(position, recording, values, width).encode("ascii")
    files = []
    for name, written, digest in (
        (f"{position}.hea", header, ""),
        (f"{position}.dat", content, pixels),
    ):
        path = folder / name
        path.write_bytes(written)
        files.append(
            CanonicalFile(
                name=name,
                role="signal",
                path=path,
                size=len(written),
                sha256=hashlib.sha256(written).hexdigest(),
                decoded_pixel_sha256=digest,
                original_uid=origin.uid if digest else "",
                source_sha256=origin.sha256,
            )
        )
    return files[0], files[1]


def _widened(recording: Recording) -> tuple[Samples, int]:
    """Return the samples as they are written, and their width in bits."""
    samples = recording.samples
    if samples.dtype.itemsize == 2:
        return np.ascontiguousarray(samples, "<i2"), 16
    missing = recording.missing
    held = samples[~missing]
    if not held.size or (held.min() >= -_NARROW and held.max() <= _NARROW):
        return np.where(missing, np.int16(-32768), samples).astype("<i2"), 16
    return np.ascontiguousarray(samples, "<i4"), 32


def _header(position: int, recording: Recording, values: Samples, width: int) -> str:
    count = len(recording.channels)
    lines = [f"{position} {count} {_number(recording.rate)} {len(values)}"]
    for index, (channel, name) in enumerate(
        zip(recording.channels, channel_names(recording.channels), strict=True)
    ):
        column = values[:, index]
        checksum = int(column.astype(np.int64).sum()) & 0xFFFF
        scale = f"{_number(channel.gain)}({round(channel.baseline)})/{_unit(channel)}"
        lines.append(
            f"{position}.dat {width} {scale} {width} 0 {column[0]} "
            f"{checksum - 0x10000 if checksum > 0x7FFF else checksum} 0 {name}"
        )
    return "\n".join([*lines, ""])


def channel_names(channels: Sequence[Channel]) -> list[str]:
    """Return the names that channels keep; one that is not known becomes its number."""
    return [
        known_name(channel.name) or f"signal {position}"
        for position, channel in enumerate(channels, start=1)
    ]


def _unit(channel: Channel) -> str:
    return known_unit(channel.unit) or NO_UNIT


def _number(value: float) -> str:
    text = repr(float(value))
    return text.removesuffix(".0")


def facts(recordings: Sequence[Recording], origin_format: str) -> dict[str, Fact]:
    """Return what is told of a case's signals; rate and samples are the first record's."""
    first = recordings[0]
    names = [name for recording in recordings for name in channel_names(recording.channels)]
    return {
        "format": origin_format,
        "modality": modality(names),
        "sampling_rate": first.rate,
        "leads": float(len(names)),
        "samples": float(len(first.samples)),
        "files": float(len(recordings)),
    }


def artefacts(recordings: Sequence[Recording]) -> dict[str, Fact]:
    """Return the traces that a recorder's software leaves."""
    channel = recordings[0].channels[0]
    return {
        "gain": channel.gain,
        "baseline": float(round(channel.baseline)),
        "names_unknown": float(sum(not known_name(one.name) for one in recordings[0].channels)),
    }


def findings(recording: Recording, file: str) -> Iterator[Finding]:
    """Yield what is to be known of a recording's channels; the column is the kept name."""
    names = channel_names(recording.channels)
    missing = recording.missing
    for index, (channel, name) in enumerate(zip(recording.channels, names, strict=True)):
        for code, severity, message, cure in _of_channel(
            channel, recording.samples[:, index], missing[:, index]
        ):
            yield Finding(
                code=code, severity=severity, message=message, cure=cure, file=file, column=name
            )


def _of_channel(
    channel: Channel, values: Samples, missing: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, Severity, str, str]]:
    if known_name(channel.name) is None:
        yield (
            "signal.unknown_name",
            Severity.NOTE,
            "The channel's name is not known and was replaced by its number.",
            "",
        )
    if known_unit(channel.unit) is None:
        cure = "Export it with a unit of UCUM."
        yield (
            "signal.unknown_unit",
            Severity.WARNING,
            "The channel's unit is not known; models see a number without one.",
            cure,
        )
    if abs(channel.baseline - round(channel.baseline)) > 1e-6:
        yield (
            "signal.offset_rounded",
            Severity.NOTE,
            "The channel's zero lies between two digital values and was rounded.",
            "",
        )
    held = values[~missing]
    if held.size < len(values):
        share = 1 - held.size / len(values)
        severity = Severity.WARNING if share > _MANY_MISSING else Severity.NOTE
        yield (
            "signal.missing_samples",
            severity,
            f"The channel lacks {share:.1%} of its samples.",
            "",
        )
    if held.size and held.min() == held.max():
        yield (
            "signal.flat_lead",
            Severity.WARNING,
            "The channel is flat.",
            "Look whether the lead was off.",
        )
    elif held.size and _is_clipped(held):
        cure = "Look at the amplifier's range."
        yield (
            "signal.clipped",
            Severity.WARNING,
            "The channel is cut off at the end of its range.",
            cure,
        )


def _is_clipped(values: Samples) -> bool:
    """Say whether a signal stays at its greatest or its least value again and again.

    A smooth wave may stay at its own peak for some samples, once or twice; not at the same value
    in five runs.
    """
    for end in (values.min(), values.max()):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], values == end, [0]))))
        lengths = edges[1::2] - edges[::2]
        long = lengths[lengths >= _CLIPPED_SAMPLES]
        if len(long) >= _CLIPPED_RUNS and long.sum() > _CLIPPED_SHARE * len(values):
            return True
    return False
