"""Signals for tests: WFDB records, EDF and BDF files, with planted names."""

import struct
from pathlib import Path

import numpy as np

NAME = "MUSTERMANN"
RANDOM = np.random.default_rng(5)


def wave(samples: int = 1000, leads: int = 3, amplitude: float = 900.0) -> np.ndarray:
    time = np.arange(samples)[:, None] / 250
    pure = np.sin(2 * np.pi * time * (1 + np.arange(leads))) * amplitude
    noise = np.random.default_rng(3).normal(0, amplitude / 50, pure.shape)
    return np.rint(pure + noise).astype(np.int64)


def write_wfdb(
    folder: Path, values: np.ndarray, *, names: tuple[str, ...] = ("I", "II", "V1"), name: str = "r"
) -> tuple[Path, Path]:
    """A format 16 record as PTB-XL has them, with what PhysioNet writes into comments."""
    lines = [f"{name} {values.shape[1]} 250 {len(values)} 13:05:00 04/03/2021"]
    for index, lead in enumerate(names):
        lines.append(f"{name}.dat 16 1000.5({index})/mV 16 0 {values[0, index]} 0 0 {lead}")
    lines += [f"# Age: 64 Sex: F {NAME}", "#Dx: 426783006", ""]
    header, data = folder / f"{name}.hea", folder / f"{name}.dat"
    header.write_text("\n".join(lines))
    data.write_bytes(values.astype("<i2").tobytes())
    return header, data


def write_raw_wfdb(folder: Path, kind: int, samples: int, content: bytes) -> tuple[Path, Path]:
    """A record of two signals in any format, its samples whatever the bytes say."""
    header, data = folder / "r.hea", folder / "r.dat"
    lines = [f"r 2 360 {samples}"] + [f"r.dat {kind} 200/mV 12 0 0 0 0 {x}" for x in ("I", "II")]
    header.write_text("\n".join([*lines, ""]))
    data.write_bytes(content)
    return header, data


def write_edf(path: Path, values: np.ndarray, *, wide: bool = False, reserved: str = "") -> Path:
    """Two signals of 100 Hz, one of 50 Hz, and annotations, in records of one second."""
    labels = ["EEG Fp1-Ref", "EEG Fp2-Ref", "Resp", "EDF Annotations"]
    rates = [100, 100, 50, 20]
    least, most = (-8_388_608, 8_388_607) if wide else (-32_768, 32_767)
    records = len(values) // 100
    fields = [
        [label.ljust(16) for label in labels],
        [f"sensor of {NAME}".ljust(80)] * 4,
        ["uV".ljust(8)] * 4,
        [str(-3276.8).ljust(8)] * 4,
        [str(3276.7).ljust(8)] * 4,
        [str(least).ljust(8)] * 4,
        [str(most).ljust(8)] * 4,
        [f"HP:0.1 {NAME}".ljust(80)] * 4,
        [str(rate).ljust(8) for rate in rates],
        [" " * 32] * 4,
    ]
    magic = b"\xffBIOSEMI" if wide else b"0       "
    head = (
        magic + f"{NAME} F 02-MAY-1951".encode().ljust(80) + f"Startdate {NAME}".encode().ljust(80)
    )
    head += b"04.03.2113.05.00" + str(256 * 5).encode().ljust(8) + reserved.encode().ljust(44)
    head += str(records).encode().ljust(8) + b"1".ljust(8) + b"4".ljust(4)
    body = b""
    for record in range(records):
        rows = slice(100 * record, 100 * record + 100)
        parts = [values[rows, 0], values[rows, 1], values[rows, 2][::2]]
        body += b"".join(_samples(part, wide=wide) for part in parts)
        body += f"+0\x14{NAME}\x14".encode().ljust(60 if wide else 40, b"\0")
    texts = "".join("".join(column) for column in fields).encode()
    path.write_bytes(head + texts + body)
    return path


def _samples(values: np.ndarray, *, wide: bool) -> bytes:
    if not wide:
        return values.astype("<i2").tobytes()
    return b"".join(struct.pack("<i", int(value))[:3] for value in values)
