"""Turns the accountability and the baseline of a measurement into results of their own.

A count that stands in the report is then cited, disclosed and proven like every other number.
Accountability: a step of the flow is one count `{"cases", "patients", "positive"}`, a list of them
by reason, or one per endpoint. Baseline: a row is a level of an attribute, or a number's quartiles.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proctor_backend.reporting.words import attribute, plain_words

FLOW = "count.accountability"
BASELINE = "count.baseline"
NUMBERS = "count.numbers"
# In the order in which cases go.
STEPS = {
    "enrolled": "Enrolled",
    "excluded": "Excluded",
    "run": "Run",
    "ok": "Answered",
    "indeterminate": "Indeterminate",
    "failed": "Failed",
    "analysed": "Analysed",
}
# Steps that leave the flow; they stand at its side.
ASIDE = frozenset({"excluded", "failed", "indeterminate"})
CONFUSION = "count.confusion"
CELLS = {
    "tp": "True positives",
    "fp": "False positives",
    "fn": "False negatives",
    "tn": "True negatives",
}
STATISTICS = ("mean", "q1", "median", "q3")


def count_results(measurement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one result per count, in the order of the flow and of the baseline table."""
    rows = [
        *_flow(measurement.get("accountability") or {}),
        *_baseline(measurement),
        *_confusion(measurement),
    ]
    return list({row["id"]: row for row in rows}.values())


def _flow(accountability: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    # Canonical JSON orders by name; a reader follows the cases.
    steps = [*(step for step in STEPS if step in accountability), *accountability]
    for step in dict.fromkeys(steps):
        entry = accountability[step]
        name, text = f"{FLOW}.{step}", STEPS.get(step, plain_words(step))
        if isinstance(entry, list | tuple):
            for part in entry:
                reason = str(part["reason"])
                yield _count(f"{name}.{slug(reason)}", f"{text}: {reason}", part)
        elif isinstance(entry, int):
            yield _count(name, text, {"cases": entry})
        elif "cases" in entry:
            yield _count(name, text, entry)
        else:
            yield from _per_endpoint(name, text, entry)


def _per_endpoint(
    name: str, text: str, counts: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Each endpoint has its own rule for missing outputs, and so its own count of cases."""
    for place, (endpoint, part) in enumerate(counts.items()):
        if place == 0:
            yield _count(name, f"{text} (first endpoint)", part)
        yield _count(f"{name}.{slug(endpoint)}", f"{text} for {endpoint}", part)


def _baseline(measurement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in measurement.get("baseline") or ():
        factor = str(row["attribute"])
        if row.get("kind") == "number":
            yield from _numbers(factor, row)
            continue
        level = str(row["level"])
        name = f"{BASELINE}.{slug(factor)}.{slug(level)}"
        group = {"factor": factor, "level": level}
        counted = _count(name, f"{attribute(factor)}: {level}", row | {"cases": row["n"]})
        yield counted | {
            "group": group,
            "estimate": int(row["patients"]),
            "numerator": int(row["patients"]),
        }


def _confusion(measurement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for figure in measurement.get("figures") or ():
        if figure["kind"] == "confusion":
            point = str(figure["id"]).partition(".")[2]
            for cell, text in CELLS.items():
                counts = {"cases": figure["data"][cell]}
                yield _count(f"{CONFUSION}.{slug(point)}.{cell}", f"{text} at {point}", counts)


def _numbers(factor: str, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for statistic in STATISTICS:
        if row.get(statistic) is not None:
            name = f"{NUMBERS}.{slug(factor)}.{statistic}"
            text = f"{attribute(factor)}: {statistic}"
            counted = _count(name, text, {"cases": row["n"], "patients": row["n"]})
            yield counted | {"quantity": "value", "estimate": row[statistic], "numerator": None}


def _count(name: str, text: str, counts: Mapping[str, Any]) -> dict[str, Any]:
    cases = int(counts["cases"])
    positives = counts.get("positive")
    return {
        "id": name,
        "quantity": "count",
        "group": None,
        "role": "descriptive",
        "estimate": cases,
        "interval": None,
        "n": cases,
        "patients": int(counts.get("patients", cases)),
        "n_positive": None if positives is None else int(positives),
        "numerator": cases,
        "denominator": None,
        "method": "counted",
        "definition": text,
        "flags": [],
        "extra": {},
    }


def slug(text: str) -> str:
    """Return a text as one word of an id."""
    return re.sub(r"[^\w+<>=-]+", "_", text.strip()) or "none"
