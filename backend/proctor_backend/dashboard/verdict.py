"""What a reader must grasp in ten seconds: criteria, groups and tones, made from a body's results.

Nothing is computed here but positions on a small axis; every number shown is a result's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proctor_backend.domain.result import Conclusion
from proctor_backend.reporting import numbers, words
from proctor_backend.reporting.disclosure import factor_of, levels_of

Result = Mapping[str, Any]

TONES = {
    Conclusion.CRITERION_MET: "good",
    Conclusion.CRITERION_NOT_MET: "bad",
    Conclusion.INCONCLUSIVE: "warn",
    Conclusion.DIFFERENCE_SHOWN: "bad",
    Conclusion.DIFFERENCE_BELOW_MARGIN: "info",
    Conclusion.NO_RELEVANT_DIFFERENCE: "good",
}
CONCLUDING = ("primary", "secondary", "exploratory")
# The drawing is 190 wide; its ends stay free for the marks.
AXIS_LEFT, AXIS_RIGHT = 6.0, 184.0
OBJECTIVE = "primary_objective"
TEST_OF_ALL = ".heterogeneity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An interval on its axis, in the units of a 190 x 26 drawing; `goals` are bounds to meet."""

    lower: float
    upper: float
    estimate: float
    goals: tuple[float, ...]
    zero: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A result with its label, tone and drawing."""

    result: Result
    label: str
    tone: str
    bar: Bar | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence at the top of a report."""

    tone: str
    sentence: str
    detail: str


@dataclass(frozen=True, slots=True)
class Level:
    """One group's own result."""

    name: str
    row: Row


@dataclass(frozen=True, slots=True)
class Factor:
    """All groups of one attribute for one endpoint."""

    name: str
    endpoint: str
    levels: Sequence[Level]
    overall: Row


def tone(conclusion: str | None) -> str:
    """Return the tone that a conclusion is shown in; none has none."""
    return TONES[Conclusion(conclusion)] if conclusion else ""


def row(result: Result) -> Row:
    """Return a result as a row of a table."""
    return Row(
        result=result,
        label=_label(result),
        tone=tone(result.get("conclusion")),
        bar=_bar(result),
        flags=numbers.reliability_flags(result),
    )


def criteria(results: Iterable[Result]) -> list[Row]:
    """Return the whole-cohort rows that carry a criterion, primary ones first."""
    judged = [r for r in _whole_cohort(results) if _goal(r) is not None]
    return [row(r) for r in sorted(judged, key=lambda r: CONCLUDING.index(r["role"]))]


def others(results: Iterable[Result]) -> list[Row]:
    """Return the whole-cohort endpoints without a criterion."""
    return [row(r) for r in _whole_cohort(results) if _goal(r) is None]


def headline(rows: Sequence[Row], objective: str | None) -> Headline:
    """Return the one sentence: the measurement's own conclusion on the primary objective."""
    conclusions = [r.result.get("conclusion") for r in rows if r.result["role"] == "primary"]
    met, total = conclusions.count(Conclusion.CRITERION_MET), len(conclusions)
    if not total or objective is None:
        return Headline("", "No primary criterion was set", "Read the results below.")
    detail = f"{met} of {total} primary criteria met by the interval, as the protocol demands."
    return Headline(tone(objective), f"Primary objective: {objective}", detail)


def factors(results: Sequence[Result]) -> list[Factor]:
    """Return the subgroup results by attribute and endpoint, where the protocol compares groups."""
    by_id = {str(r["id"]): r for r in results}
    found: dict[str, list[Level]] = {}
    for result in results:
        base = _base(result)
        if f"{base}{TEST_OF_ALL}" not in by_id or words.is_contrast(result):
            continue
        if not str(result["id"]).endswith(TEST_OF_ALL) and not result.get("scenario"):
            found.setdefault(base, []).append(Level(levels_of(result)[0], row(result)))
    return [_factor(by_id[f"{base}{TEST_OF_ALL}"], levels) for base, levels in found.items()]


def differences(results: Iterable[Result]) -> list[Row]:
    """Return the group comparisons that were concluded, shown differences first."""
    found = [row(r) for r in results if words.is_contrast(r) and r.get("conclusion")]
    rank = {Conclusion.DIFFERENCE_SHOWN: 0, Conclusion.INCONCLUSIVE: 1}
    ordered = sorted(found, key=lambda r: rank.get(r.result["conclusion"], 2))
    return on_one_axis(ordered)


def count_conclusions(rows: Iterable[Row]) -> dict[str, int]:
    """Count the rows by conclusion, in the order they come."""
    counts: dict[str, int] = {}
    for one in rows:
        conclusion = str(one.result["conclusion"])
        counts[conclusion] = counts.get(conclusion, 0) + 1
    return counts


def _whole_cohort(results: Iterable[Result]) -> list[Result]:
    return [
        r
        for r in results
        if r["role"] in CONCLUDING
        and r["quantity"] != OBJECTIVE
        and not factor_of(r)
        and not r.get("scenario")
    ]


def _goal(result: Result) -> float | None:
    value = (result.get("criterion") or {}).get("value")
    return None if value is None else float(value)


def _factor(overall: Result, levels: Sequence[Level]) -> Factor:
    name = words.attribute(str(factor_of(overall)))
    endpoint = " ".join(filter(None, (words.quantity(str(overall["quantity"])), _point(overall))))
    rows = on_one_axis([level.row for level in levels])
    drawn = [replace(level, row=one) for level, one in zip(levels, rows, strict=True)]
    return Factor(name, endpoint, drawn, row(overall))


def _label(result: Result) -> str:
    """Return a row's label; a comparison names both its sides."""
    group = result.get("group") or {}
    if not words.is_contrast(result) or "versus" not in group:
        return words.label(result)
    measure = words.quantity(str(result["quantity"]).removesuffix("_difference"))
    factor = words.attribute(str(group["factor"]))
    sides = f"{group['level']} against {group['versus']}"
    return f"{factor}, {sides}: {measure} {_point(result)}".strip()


def _point(result: Result) -> str:
    point = words.operating_point(result)
    return f"at “{point}”" if point else ""


def _base(result: Result) -> str:
    """Return the id without its last word, which is the level: "auroc.sex"."""
    return str(result["id"]).rpartition(".")[0]


def on_one_axis(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with drawings that can be compared by eye."""
    axis = _axis([mark for one in rows for mark in _marks(one.result)])
    return [replace(one, bar=_bar(one.result, axis)) for one in rows]


def _marks(result: Result) -> list[float]:
    """Return every value that a result's drawing shows; none without an interval."""
    interval, estimate = result.get("interval") or {}, result.get("estimate")
    lower, upper = interval.get("lower"), interval.get("upper")
    if estimate is None or lower is None or upper is None:
        return []
    zero = [0.0] if words.is_contrast(result) else []
    return [lower, upper, estimate, *_goals(result), *zero]


def _axis(marks: Sequence[float]) -> tuple[float, float]:
    """Return where an axis starts and how wide it is, so that every mark stays inside."""
    if not marks:
        return 0.0, 1.0
    span = (max(marks) - min(marks)) or 1.0
    return min(marks) - 0.08 * span, 1.16 * span


def _bar(result: Result, axis: tuple[float, float] | None = None) -> Bar | None:
    marks = _marks(result)
    if not marks:
        return None
    start, width = axis or _axis(marks)

    def place(value: float) -> float:
        return float(round(AXIS_LEFT + (value - start) / width * (AXIS_RIGHT - AXIS_LEFT), 1))

    lower, upper, estimate = marks[:3]
    return Bar(
        lower=place(lower),
        upper=place(upper),
        estimate=place(estimate),
        goals=tuple(place(goal) for goal in _goals(result)),
        zero=place(0.0) if words.is_contrast(result) else None,
    )


def _goals(result: Result) -> tuple[float, ...]:
    criterion = result.get("criterion") or {}
    if criterion.get("value") is not None:
        return (float(criterion["value"]),)
    margin = criterion.get("margin", (result.get("extra") or {}).get("margin"))
    return () if margin is None else (-float(margin), float(margin))
