"""Designs in which a method's limit may not decide: where simulation showed that it errs.

`docs/reference/coverage.md` has the numbers; each rule names what holds there instead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from proctor_backend.domain.problems import Document, Path, Problem
from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.domain.quantities.base import BOOTSTRAP

RARE = 0.20  # below it (above its complement) the score interval leans towards 1/2
FEWEST_FAILURES = 10  # patients expected to fail at the goal, where rows repeat
SMALL_CLASS, HIGH_AREA, IMBALANCED, FROM_AREA = 100, 0.95, 4, 0.80
FEWEST_PATIENTS_OF_AREA = 300
FEWEST_PATIENTS_OF_PRECISION = 300
FEWEST_ERRORS = 4
FEWEST_RESAMPLED = 40
FEWEST_CASES_OF_MARGIN = 400
FEWEST_PATIENTS_OF_PAIR = 100
_MORE = "Plan at least {patients} patients, or take the patient as the unit."


@dataclass(frozen=True, slots=True)
class Planned:
    """The sizes that a protocol plans; None where it does not say."""

    cases: int
    patients: int
    positives: int | None
    repeats: bool

    @classmethod
    def of(cls, document: Document) -> "Planned":
        """Read them from a completed protocol."""
        size, estimand = document["sample_size"], document["estimand"]
        patients = size.get("planned_patients") or size["planned_n"]
        by_patient = estimand["unit"] == "patient"
        return cls(
            cases=size["planned_n"],
            patients=patients,
            positives=size.get("planned_positive"),
            repeats=patients < size["planned_n"] and not by_patient,
        )

    @property
    def classes(self) -> tuple[int, int] | None:
        """The smaller and the larger of the two classes."""
        if self.positives is None:
            return None
        both = sorted((self.positives, self.cases - self.positives))
        return both[0], both[1]


def compared_tests(document: Document) -> Iterator[Problem]:
    """Yield tested subgroups of a quantity whose difference has no interval that can be judged."""
    metrics = {one["id"]: one["metric"] for one in document["endpoints"]}
    for place, subgroup in enumerate(document["subgroups"]):
        for index, name in enumerate(subgroup["endpoints"]):
            known = QUANTITIES.get(metrics.get(name, ""))
            if known is not None and not known.decides and subgroup.get("family") is not None:
                yield Problem(
                    ("subgroups", place, "endpoints", index),
                    f"{known.name} cannot be compared between groups by its interval.",
                    "Leave it out, or remove the subgroup's family: it is then shown only.",
                )


def unfit_intervals(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    """Yield what a criterion or hypothesis rests on and simulation refuses."""
    known = QUANTITIES.get(endpoint["metric"])
    if known is None:
        return
    planned = Planned.of(document)
    exact = "clopper_pearson" in known.methods
    criterion = endpoint.get("criterion")
    if criterion is not None:
        if exact:
            yield from _score_interval(endpoint, criterion, path)
            yield from _few_failures(endpoint, criterion, planned, path)
        elif endpoint["metric"] == "auroc":
            yield from _area(endpoint, criterion, planned, path)
        else:
            yield from _resampled(endpoint, criterion, planned, path)
    if exact:
        yield from _compared_shares(endpoint, planned, path)


def _score_interval(endpoint: Document, criterion: Document, path: Path) -> Iterator[Problem]:
    lower, value = criterion["bound"] == "lower", criterion["value"]
    rare = value < RARE if lower else value > 1 - RARE
    if endpoint["interval"]["method"] == "wilson" and rare:
        yield Problem(
            (*path, "interval", "method"),
            f"The {criterion['bound']} Wilson limit of a share near {0 if lower else 1} errs in "
            "up to 6 % of cohorts.",
            "Write clopper_pearson.",
        )


def _few_failures(
    endpoint: Document, criterion: Document, planned: Planned, path: Path
) -> Iterator[Problem]:
    rate = 1 - criterion["value"] if criterion["bound"] == "lower" else criterion["value"]
    patients = planned.patients * _share_of_cases(endpoint["metric"], planned)
    if planned.repeats and patients * rate < FEWEST_FAILURES:
        needed = ceil(planned.patients * FEWEST_FAILURES / (patients * rate)) if rate > 0 else None
        yield Problem(
            (*path, "criterion"),
            f"Fewer than {FEWEST_FAILURES} patients are expected to fail at the goal, too few for "
            "limits where rows repeat within patients.",
            _MORE.format(patients=needed) if needed else "Choose a goal inside (0, 1).",
        )


def _share_of_cases(metric: str, planned: Planned) -> float:
    """Return which share of the cases a rate is taken over, as far as the plan tells."""
    if planned.positives is None or metric not in {"sensitivity", "specificity"}:
        return 1.0
    share = planned.positives / planned.cases
    return share if metric == "sensitivity" else 1 - share


def _area(
    endpoint: Document, criterion: Document, planned: Planned, path: Path
) -> Iterator[Problem]:
    method, value = endpoint["interval"]["method"], criterion["value"]
    if method not in {"auto", "logit_delong"}:
        return
    smaller, larger = planned.classes or (SMALL_CLASS, SMALL_CLASS)
    near_one = value >= HIGH_AREA and smaller < SMALL_CLASS
    if method == "auto" and near_one:
        return  # then auto takes newcombe5 by itself
    why = None
    if near_one:
        why = "its smaller class is below 100 and its goal at 0.95 or above"
    elif planned.repeats and planned.patients < FEWEST_PATIENTS_OF_AREA:
        why = f"rows repeat within fewer than {FEWEST_PATIENTS_OF_AREA} patients"
    elif value >= FROM_AREA and smaller < SMALL_CLASS and larger > IMBALANCED * smaller:
        why = "one class is below 100 and the other more than four times as large"
    if why is not None:
        yield Problem(
            (*path, "interval", "method"),
            f"The logit interval's lower limit errs too often: {why}.",
            "Write newcombe5.",
        )


def _resampled(
    endpoint: Document, criterion: Document, planned: Planned, path: Path
) -> Iterator[Problem]:
    metric, method = endpoint["metric"], endpoint["interval"]["method"]
    here = (*path, "criterion")
    closed = metric in {"lr_positive", "lr_negative"} or QUANTITIES[metric].methods != BOOTSTRAP
    resampled = method == "bootstrap_bca" or not closed
    if resampled and planned.patients < FEWEST_RESAMPLED:
        yield Problem(
            here,
            f"The bootstrap of fewer than {FEWEST_RESAMPLED} patients decides nothing reliably.",
            f"Plan at least {FEWEST_RESAMPLED} patients, or judge a share with exact limits.",
        )
    if metric == "auprc" and planned.repeats and planned.patients < FEWEST_PATIENTS_OF_PRECISION:
        yield Problem(
            here,
            "The bootstrap of average precision errs with so few patients whose rows repeat.",
            f"Plan at least {FEWEST_PATIENTS_OF_PRECISION} patients, or judge auroc by newcombe5.",
        )
    if metric == "balanced_accuracy" and planned.classes is not None:
        errors = planned.classes[0] * (1 - criterion["value"])
        if errors < FEWEST_ERRORS:
            yield Problem(
                here,
                f"Fewer than {FEWEST_ERRORS} errors are expected in the smaller class.",
                "Judge sensitivity and specificity as co-primary endpoints, by clopper_pearson.",
            )


def _compared_shares(endpoint: Document, planned: Planned, path: Path) -> Iterator[Problem]:
    compared: Mapping[str, Any] = endpoint.get("comparison") or {}
    hypothesis = compared.get("hypothesis")
    if hypothesis is None:
        return
    here = (*path, "comparison")
    cases = planned.cases * _share_of_cases(endpoint["metric"], planned)
    if hypothesis == "superiority" and compared.get("margin") and cases < FEWEST_CASES_OF_MARGIN:
        yield Problem(
            (*here, "margin"),
            f"Superiority by a margin on fewer than {FEWEST_CASES_OF_MARGIN} cases of the share "
            "rests on a limit that errs too often.",
            "Remove the margin, write non_inferiority, or plan more cases.",
        )
    if planned.repeats and planned.patients < FEWEST_PATIENTS_OF_PAIR:
        yield Problem(
            here,
            "Too few patients for a hypothesis on shares whose rows repeat within them.",
            _MORE.format(patients=FEWEST_PATIENTS_OF_PAIR),
        )
