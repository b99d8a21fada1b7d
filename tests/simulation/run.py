"""Simulates coverage and false alarms in full and writes both files: `make coverage`."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

# Run as a script, this folder would come first and hide modules of the standard library.
ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from tests.simulation import (  # noqa: E402 - after the path is set
    areas,
    binomials,
    categories,
    clusters,
    further,
    measured,
    null_cohorts,
    resampled,
)
from tests.simulation.coverage import Row  # noqa: E402 - after the path is set
from tests.simulation.page import AlarmRow, page  # noqa: E402 - after the path is set
from tests.simulation.reasons import explained  # noqa: E402 - after the path is set

KEPT = ROOT / "build" / "coverage.json"
KEPT_ALARMS = ROOT / "build" / "false_alarms.json"
PAGE = ROOT / "docs" / "reference" / "coverage.md"
_ALARMS = "false alarms"
COHORTS = 10_000
PARTS: Mapping[str, Callable[[], Iterable[Row]]] = {
    "one proportion": binomials.one_proportion,
    "two proportions": binomials.two_proportions,
    "paired proportions": binomials.paired_proportions,
    "predictive values": binomials.predictive_values,
    "clustered proportions": clusters.clustered_proportions,
    "areas": areas.single_areas,
    "clustered areas": areas.clustered_areas,
    "areas over classes": categories.class_areas,
    "the patient bootstrap": resampled.bootstrapped,
    "measurements": measured.measured,
    "agreement": measured.kappas,
    "repeats, lines, readers": further.further,
}


def main() -> None:
    """Run every part, or some again; a run of some keeps what the others showed."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--only", action="append", choices=[*PARTS, _ALARMS], help="repeatable")
    only = words.parse_args().only
    rows = _kept_rows() if only else {}
    for name, part in PARTS.items():
        if not only or name in only:
            with _timed(name):
                rows |= {_key(row): row for row in part()}
    _write(rows.values(), _alarms() if not only or _ALARMS in only else _kept_alarms())


def _alarms() -> AlarmRow:
    with _timed(_ALARMS):
        found = sum(null_cohorts.false_alarms(COHORTS))
    bound = null_cohorts.BOUNDS[COHORTS]
    return AlarmRow(cohorts=COHORTS, alarms=found, bound=bound, ok=found <= bound)


def _key(row: Row) -> tuple[str, str, int, int]:
    return row.method, row.scenario, row.n, row.clusters


def _kept_rows() -> dict[tuple[str, str, int, int], Row]:
    rows = [Row(**row) for row in json.loads(KEPT.read_text("utf-8"))]
    return {_key(row): row for row in rows}


def _kept_alarms() -> AlarmRow:
    return AlarmRow(**json.loads(KEPT_ALARMS.read_text("utf-8")))


@contextlib.contextmanager
def _timed(name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    sys.stderr.write(f"{name}: {time.perf_counter() - begun:.0f} s\n")


def _write(rows: Iterable[Row], alarms: AlarmRow) -> None:
    told = explained(rows)
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps([asdict(row) for row in told], indent=1) + "\n", "utf-8")
    KEPT_ALARMS.write_text(json.dumps(asdict(alarms), indent=1) + "\n", "utf-8")
    PAGE.write_text(page(told, alarms), "utf-8")
    if silent := [f"{row.method}, {row.scenario}" for row in told if not row.ok and not row.why]:
        sys.exit("missed without a reason: " + "; ".join(silent))


if __name__ == "__main__":
    main()
