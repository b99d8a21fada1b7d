"""Makes the file of a vendor's training images: a line for each, of digests and no picture.

The first line names the form; then stand images, `{"source", "pixels", "looks"}`, and patients,
`{"patient"}`. A look is a perceptual hash of 64 bits and one of 256 behind it. The vendor can read
all of it before it is sealed and sent.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.fingerprints.images import read_pixels, slices_of
from proctor_sdk.fingerprints.pixels import detail_hash, perceptual_hash, pixel_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORM = {"proctor_fingerprints": 1}
MOST_SLICES = 4096  # of one volume
PATIENT = "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """How many files there were, how many of them were decoded, and how many patients named."""

    files: int
    decoded: int
    patients: int


def collect(
    folder: Path,
    output: Path,
    *,
    patients: Path | None = None,
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> Collected:
    """Fingerprint every file below a folder, on all processors, and write the result.

    Args:
        folder: any folders and names; a file that is no image counts by its bytes alone.
        output: the file to write.
        patients: a CSV table whose column `patient` holds the identifiers of the patients.
        advance: is told of files done and of all files.

    Raises:
        ProctorSdkError: there is no file, or the table has no such column.
    """
    names = list(_patients(patients)) if patients else []
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if not paths:
        raise ProctorSdkError("no_files", f"{folder} holds no files.", cure="Name another folder.")
    decoded = 0
    with output.open("w", encoding="utf-8") as file, ProcessPoolExecutor(os.cpu_count()) as pool:
        file.write(json.dumps(FORM) + "\n")
        for done, line in enumerate(pool.map(fingerprint, paths, chunksize=8), start=1):
            decoded += bool(line["pixels"])
            file.write(json.dumps(line) + "\n")
            advance(done, len(paths))
        file.writelines(json.dumps({PATIENT: name}) + "\n" for name in names)
    return Collected(files=len(paths), decoded=decoded, patients=len(names))


def fingerprint(path: Path) -> dict[str, str | list[str]]:
    """Return the digest of a file's bytes, of its pixels, and the look of each slice."""
    with path.open("rb") as file:
        source = hashlib.file_digest(file, "sha256").hexdigest()
    pixels = read_pixels(path)
    try:
        values = "" if pixels is None else pixel_digest(pixels)
    except TypeError:  # values of no picture, such as complex numbers
        return {"source": source, "pixels": "", "looks": []}
    slices = [] if pixels is None else slices_of(pixels)[:MOST_SLICES]
    looks = [perceptual_hash(one) + detail_hash(one) for one in slices]
    return {
        "source": source,
        "pixels": values,
        "looks": list(dict.fromkeys(look for look in looks if look)),
    }


def _patients(table: Path) -> Iterator[str]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if PATIENT not in (rows.fieldnames or ()):
            raise ProctorSdkError(
                "no_patients",
                f"{table} has no column named patient.",
                cure="Write one identifier a row under that name.",
            )
        yield from dict.fromkeys(
            name.strip() for row in rows if (name := row[PATIENT] or "").strip()
        )
