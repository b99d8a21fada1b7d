"""Writes the tables that a data partner uploads: hidden cohort and public conformance set."""

import csv
import sys
from pathlib import Path

from columns import ATTRIBUTES, INPUTS, OUTCOME
from patients import patients

SEXES = {"male": "M", "female": "F"}


def cohort_row(patient: dict[str, str]) -> dict[str, str]:
    """Return a patient as a row of Proctor's table of cases."""
    attributes = {name: patient[name] for name in ATTRIBUTES} | {"sex": SEXES[patient["sex"]]}
    return {
        "case": f"support2-{patient['sno']}",
        "patient": patient["sno"],
        "site": "SUPPORT",  # the public table does not tell the five centres apart
        "reference_value": patient[OUTCOME],
        "reference_status": "verified",
        "reference_method": "follow-up and National Death Index",
        "files": "",
        **{f"attr.{name}": value for name, value in attributes.items()},
        **{f"input.{name}": patient[name] for name in INPUTS},
    }


def write_cohorts(out: Path) -> dict[str, Path]:
    """Write both tables under `out`; return their paths by part."""
    everyone = patients()
    paths = {}
    for part in ("hidden", "conformance"):
        rows = [cohort_row(patient) for patient in everyone if patient["part"] == part]
        paths[part] = out / part / "cohort.csv"
        paths[part].parent.mkdir(parents=True, exist_ok=True)
        with paths[part].open("w", newline="") as target:
            writer = csv.DictWriter(target, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{part}: {len(rows)} patients in {paths[part]}")
    return paths


if __name__ == "__main__":
    write_cohorts(Path(sys.argv[1]))
