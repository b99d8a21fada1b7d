"""How long the two commands of a newcomer take, from build/timings.json where it was written."""

import json

from tests.bench.record import ROOT, Row

TIMINGS = ROOT / "build" / "timings.json"
LIMITS = {
    "make_demo": (
        "make_demo_first_s",
        "`make demo` in a clean clone, the Python environment installed, Debian packages present",
        600.0,
    ),
    "demo_again": ("make_demo_again_s", "`make demo`, second run", 180.0),
    "tests": ("make_test_s", "`make test`: 8 min for the main line, 5 for measurement", 780.0),
}


def rows() -> list[Row]:
    """Return a row for each duration that was noted."""
    noted = json.loads(TIMINGS.read_text()) if TIMINGS.exists() else {}
    return [
        Row(
            id=name,
            what=what,
            unit="s",
            ours=noted[key],
            goal=f"≤ {limit:g} s",
            met=noted[key] <= limit,
        )
        for name, (key, what, limit) in LIMITS.items()
        if key in noted
    ]
