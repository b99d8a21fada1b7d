"""The page of coverage: what was simulated, what it showed, what follows for a protocol."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.coverage import Row

from proctor_backend.domain import interval_rules as rules

_HEAD = """# Coverage of the intervals, and false alarms

Written by `make coverage`. Every interval that a report can print was tried on cohorts whose truth
is known: how often it holds that truth, and how often it lies wholly above it (lower limit too
high) or below it (upper limit too low). 95 % intervals throughout.

**Targets.** Exact methods: at least 94 %, no ceiling. Approximate methods: 93.5 to 96.5 %. A
method whose limit decides a criterion errs on that side in at most 2.5 % of cohorts, plus three
Monte-Carlo standard errors. Shares are compared as they are printed.

**How.** Where every possible sample can be listed, coverage is summed over them and nothing is
drawn ("all"). Approximate methods are then averaged over 24 truths within 1/n of the one that is
named, because coverage jumps whenever the truth passes between two counts; their tails are given
the slack of 10,000 cohorts (0.5 %), exact methods none. Else at least 2,000 cohorts are drawn and
measured by the product's own code, bootstrap intervals with 2,000 resamples.

"""
_COLUMNS = (
    "| scenario | n | patients | cohorts | coverage | lower limit too high | upper too low "
    "| mean width | ok |\n|--|--|--|--|--|--|--|--|--|"
)
_CONSEQUENCES = """## What a protocol may not say

Locking refuses these, each with its cure:

| design | refused | instead |
|--|--|--|
{rows}

A method that covers more than asked is not refused: it is wider than it needs to be, and never
flatters.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """How many null cohorts led to any subgroup finding, and how many may."""

    cohorts: int
    alarms: int
    bound: int
    ok: bool


_AREA = "a criterion on `auroc`"
REFUSED = (
    (
        (
            "a criterion on the far side of a rare share "
            f"(lower bound below {rules.RARE:.2f}, upper above {1 - rules.RARE:.2f})"
        ),
        "`wilson`",
        "`clopper_pearson`",
    ),
    (
        (
            "a criterion on a share of rows that repeat within patients, under "
            f"{rules.FEWEST_FAILURES} failures expected at the goal"
        ),
        "any method",
        "the patient as the unit, or more patients",
    ),
    (
        f"{_AREA} at {rules.HIGH_AREA} or above, the smaller class below {rules.SMALL_CLASS}",
        "`logit_delong`",
        "`newcombe5` (what `auto` takes)",
    ),
    (
        (
            f"{_AREA} at {rules.FROM_AREA:.2f} or above, a class below {rules.SMALL_CLASS}, "
            f"the other over {rules.IMBALANCED} times it"
        ),
        "`auto`, `logit_delong`",
        "`newcombe5`",
    ),
    (
        f"{_AREA} where rows repeat within fewer than {rules.FEWEST_PATIENTS_OF_AREA} patients",
        "`auto`, `logit_delong`",
        "`newcombe5`",
    ),
    (
        (
            f"a criterion on `balanced_accuracy`, under {rules.FEWEST_ERRORS} errors expected "
            "in the smaller class"
        ),
        "any method",
        "sensitivity and specificity as co-primary, `clopper_pearson`",
    ),
    (
        (
            "a criterion on `auprc` where rows repeat within fewer than "
            f"{rules.FEWEST_PATIENTS_OF_PRECISION} patients"
        ),
        "any method",
        "`auroc` with `newcombe5`, or more patients",
    ),
    (
        f"a criterion that the bootstrap decides, fewer than {rules.FEWEST_RESAMPLED} patients",
        "any method",
        "a share with exact limits, or more patients",
    ),
    (
        f"superiority by a margin on a share of fewer than {rules.FEWEST_CASES_OF_MARGIN} cases",
        "`comparison`",
        "superiority without a margin, non-inferiority, or more cases",
    ),
    (
        (
            "a hypothesis on a share of rows that repeat within fewer than "
            f"{rules.FEWEST_PATIENTS_OF_PAIR} patients"
        ),
        "`comparison`",
        "more patients, or the patient as the unit",
    ),
)


def page(rows: Sequence[Row], alarms: AlarmRow) -> str:
    """Return the whole page."""
    missed = sum(not row.ok for row in rows)
    parts = [_HEAD]
    parts.append(
        f"{len(rows)} rows, of which {len(rows) - missed} meet their target; the {missed} others "
        "say why, and what to choose.\n"
    )
    parts += [_section(method, rows) for method in dict.fromkeys(row.method for row in rows)]
    parts.append(_alarms(alarms))
    listed = "\n".join("| " + " | ".join(cells) + " |" for cells in REFUSED)
    parts.append(_CONSEQUENCES.format(rows=listed))
    return "\n".join(parts)


def _section(method: str, rows: Sequence[Row]) -> str:
    own = [row for row in rows if row.method == method]
    decides = {"lower": "its lower limit decides", "upper": "its upper limit decides", "": ""}
    about = ", ".join(filter(None, (own[0].kind, decides[own[0].decides])))
    lines = [f"## {method}\n", f"{about[0].upper()}{about[1:]}.\n", _COLUMNS]
    lines += [_line(row) for row in own]
    reasons = dict.fromkeys(row.why for row in own if row.why)
    if any(row.undefined > 0.0005 for row in own):
        most = max(row.undefined for row in own)
        lines.append(f"\nUp to {most:.1%} of the samples have no interval and are left out.")
    return "\n".join([*lines, *(f"\n{why}" for why in reasons)]) + "\n"


def _line(row: Row) -> str:
    cells = (
        row.scenario,
        f"{row.n:,}",
        f"{row.clusters:,}",
        f"{row.repetitions:,}" if row.repetitions else "all",
        f"{100 * row.coverage:.1f} %",
        f"{100 * row.lower_error:.1f} %",
        f"{100 * row.upper_error:.1f} %",
        f"{row.mean_width:.3g}",
        "yes" if row.ok else "**no**",
    )
    return "| " + " | ".join(cells) + " |"


def _alarms(alarms: AlarmRow) -> str:
    rate = alarms.alarms / alarms.cohorts
    return (
        "## False alarms of the subgroup family\n\n"
        "Null cohorts of 320 patients: scores are distributed alike in every group, given the "
        "truth. Prevalence, size, rows a patient and missing outputs differ between the groups of "
        "three factors that depend on each other. Nine tests (three factors, three endpoints) are "
        "made and adjusted by the product's own code; a cohort counts if any rejects at 5 %. The "
        "permutations are 499 instead of 4,999, which leaves their p values valid.\n\n"
        "| cohorts | false alarms | rate | at most | ok |\n|--|--|--|--|--|\n"
        f"| {alarms.cohorts:,} | {alarms.alarms:,} | {rate:.2%} | {alarms.bound:,} "
        f"({alarms.bound / alarms.cohorts:.2%}) | {'yes' if alarms.ok else '**no**'} |\n"
    )
