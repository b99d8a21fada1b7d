"""Writes the phantom cohorts: a hidden one with a planted difference, and a small public one.

The scores are drawn at random, so that a conclusion can fail to come out; the seed is printed.
"""

import argparse
import csv
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from radiograph import radiograph
from write_dicom import SYNTAXES, Subject, dicom_bytes

SEED = 20261121
PER_SEX = 600
PUBLIC_PER_SEX = 10
SEPARATION = {"M": 2.56, "F": 1.20}  # distance of the two score distributions, in their SD
ETHNIC_GROUPS = ("A", "B", "C")
SITES = {
    "Northgate": ("Acme DX-1", "Bolt R200"),
    "Harbour": ("Bolt R200",),
    "Midland": ("Acme DX-1",),
}
PROCESSES = 2


@dataclass(frozen=True)
class Phantom:
    """One radiograph that is to be written."""

    subject: Subject
    positive: bool
    score: float
    syntax: str
    inverted: bool
    seed: tuple[int, ...]

    @property
    def path(self) -> str:
        """Where the file lies within its cohort."""
        return f"images/{self.subject.patient}.dcm"


def plan(per_sex: int, seed: int, first: int = 0) -> list[Phantom]:
    """Draw everything but the pixels: half of each sex has the finding."""
    random = np.random.default_rng(seed)
    phantoms = []
    for number in range(first, first + 2 * per_sex):
        sex, positive = ("M", "F")[number % 2], number % 4 < 2
        site = list(SITES)[int(random.integers(len(SITES)))]
        subject = Subject(
            number=number,
            sex=sex,
            age=int(random.integers(20, 96)),
            ethnic_group=ETHNIC_GROUPS[int(random.integers(len(ETHNIC_GROUPS)))],
            site=site,
            scanner=SITES[site][int(random.integers(len(SITES[site])))],
        )
        score = float(random.normal(SEPARATION[sex] * positive, 1.0))
        syntax = SYNTAXES[number % len(SYNTAXES)]
        inverted = bool(random.integers(4) == 0)
        phantoms.append(Phantom(subject, positive, score, syntax, inverted, (seed, number)))
    return phantoms


def write_cohort(folder: Path, phantoms: Sequence[Phantom], processes: int = PROCESSES) -> Path:
    """Write the files and the table of cases; return the table's path."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        size = math.ceil(len(phantoms) / processes)
        parts = [phantoms[at : at + size] for at in range(0, len(phantoms), size)]
        list(pool.map(write_files, [folder] * len(parts), parts))
    table = folder / "cohort.csv"
    with table.open("w", newline="") as target:
        rows = [table_row(phantom) for phantom in phantoms]
        writer = csv.DictWriter(target, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return table


def write_files(folder: Path, phantoms: Sequence[Phantom]) -> None:
    """Draw and write the radiographs."""
    for phantom in phantoms:
        random = np.random.default_rng(phantom.seed)
        image = radiograph(random, phantom.subject.sex, phantom.score)
        content = dicom_bytes(image, phantom.subject, phantom.syntax, inverted=phantom.inverted)
        (folder / phantom.path).write_bytes(content)


def table_row(phantom: Phantom) -> dict[str, str]:
    """Return the phantom as a row of Proctor's table of cases."""
    subject = phantom.subject
    return {
        "case": f"CXR-{subject.number}",
        "patient": subject.patient,
        "site": subject.site,
        "imaging_study": f"ACC{subject.number}",
        "reference_value": str(int(phantom.positive)),
        "reference_status": "verified",
        "reference_method": "planted",
        "sampling_stratum": str(int(phantom.positive)),
        "files": phantom.path,
        "attr.sex": subject.sex,
        "attr.age": str(subject.age),
        "attr.ethnic_group": subject.ethnic_group,
        "attr.scanner": subject.scanner,
    }


def generate(out: Path, seed: int = SEED, per_sex: int = PER_SEX) -> dict[str, Path]:
    """Write the hidden and the public cohort under `out`; return their tables."""
    hidden = plan(per_sex, seed)
    public = plan(PUBLIC_PER_SEX, seed + 1, first=2 * per_sex)
    return {
        "hidden": write_cohort(out / "hidden", hidden),
        "conformance": write_cohort(out / "conformance", public),
    }


def main() -> None:
    """Generate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--per-sex", type=int, default=PER_SEX)
    given = parser.parse_args()
    generate(given.out, given.seed, given.per_sex)
    print(f"{2 * given.per_sex} hidden radiographs, separation {SEPARATION}, seed {given.seed}")


if __name__ == "__main__":
    main()
