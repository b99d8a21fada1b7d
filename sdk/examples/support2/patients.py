"""Reads the patients and says which part each belongs to; nobody can choose."""

import csv
import gzip
import hashlib
import io
from pathlib import Path

TABLE = Path(__file__).parent / "support2.csv.gz"
CONFORMANCE, TRAINING = 10, 400  # of 1,000: 1 % public conformance, 39 % training, 60 % hidden


def patients() -> list[dict[str, str]]:
    """Return every patient with the name of the part under `part`."""
    text = gzip.decompress(TABLE.read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        row["part"] = part_of(row["sno"])
    return rows


def part_of(patient: str) -> str:
    """Return conformance, training or hidden, by a hash of the patient's number."""
    digest = hashlib.sha256(f"support2:{patient}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") % 1000
    if share < CONFORMANCE:
        return "conformance"
    return "training" if share < TRAINING else "hidden"
