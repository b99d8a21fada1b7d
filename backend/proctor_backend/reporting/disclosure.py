"""Decides which results an edition shows; the signed results themselves are never altered.

Only privacy is decided here, from the partner's terms. Whether a number is reliable is another
question with another answer: such a number is shown and flagged (numbers.py).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from proctor_backend.domain.cohort import CountScope
from proctor_backend.domain.errors import PlatformError

# From the most to the least disclosing.
EDITIONS = ("full", "submission", "public")
CONTRAST = "-vs-"
REST = "rest"
# The level of a test over all levels of an attribute.
EVERY_LEVEL = "all"
# What the data say of a cause: numbers on several attributes at once, of groups of any size.
CANDIDATE_CAUSE = "candidate_cause"
PAIRED_CELLS = ("both", "device_only", "rater_only", "neither")
INTERSECTION = re.compile(r"\s*[*+&]\s*")

ResultDict = Mapping[str, Any]


class WithheldValueError(PlatformError):
    """Somebody tried to print what the edition does not show."""

    code = "withheld_value"


@dataclass(frozen=True, slots=True, repr=False)
class Withheld:
    """Stands where a result is not shown; holds nothing, and no formatting can print it."""

    def __repr__(self) -> str:
        """Name the type, for a debugger."""
        return "<withheld>"

    def __str__(self) -> NoReturn:
        raise WithheldValueError("A withheld result cannot be written as text.")

    def __format__(self, specification: str) -> NoReturn:
        raise WithheldValueError("A withheld result cannot be formatted.")

    def __float__(self) -> NoReturn:
        raise WithheldValueError("A withheld result is no number.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The least counts that one edition may show, and the digits of every number (None: all)."""

    min_patients: int = 0
    min_cell: int = 0
    applies_to: CountScope = CountScope.ATTRIBUTE_COUNTS
    precision: int | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Rule":
        """Read a rule from a protocol's `disclosure` or from a cohort's terms."""
        return cls(
            min_patients=int(document.get("min_patients") or 0),
            min_cell=int(document.get("min_cell") or 0),
            applies_to=CountScope(document.get("applies_to") or CountScope.ATTRIBUTE_COUNTS),
            precision=document.get("precision"),
        )

    def joined(self, other: "Rule") -> "Rule":
        """Return the stricter of both, part by part."""
        every = CountScope.ALL_CELLS in (self.applies_to, other.applies_to)
        digits = [one.precision for one in (self, other) if one.precision is not None]
        return Rule(
            min_patients=max(self.min_patients, other.min_patients),
            min_cell=max(self.min_cell, other.min_cell),
            applies_to=CountScope.ALL_CELLS if every else CountScope.ATTRIBUTE_COUNTS,
            precision=min(digits) if digits else None,
        )

    @property
    def least(self) -> int:
        """The least number of patients with an attribute that may be told."""
        return max(self.min_patients, self.min_cell)

    def as_dict(self) -> dict[str, Any]:
        """Return the record's form."""
        return {
            "min_patients": self.min_patients,
            "min_cell": self.min_cell,
            "applies_to": self.applies_to.value,
            "precision": self.precision,
        }


# The default where neither protocol nor terms say more.
PUBLIC_DEFAULT = Rule(min_patients=11, min_cell=11)


def rule_for(edition: str, protocol: Mapping[str, Any], terms: Mapping[str, Any]) -> Rule:
    """Return an edition's rule: the protocol's, joined with the partner's terms where it leaves."""
    declared = (protocol.get("disclosure") or {}).get(edition)
    if edition == "full":
        return Rule.from_dict(declared or {})
    default = PUBLIC_DEFAULT if edition == "public" and declared is None else Rule()
    return Rule.from_dict(declared or {}).joined(default).joined(Rule.from_dict(terms))


def withheld_ids(results: Sequence[ResultDict], rule: Rule) -> frozenset[str]:
    """Return the ids of the results that the rule does not let an edition show.

    A group is shown or withheld whole. Where what is withheld could be found by subtracting what
    is shown from a total, more is withheld until it cannot.
    """
    if rule.least == 0:
        return frozenset()
    groups = _withheld_groups(results, rule)
    hidden = {str(result["id"]) for result in results if _touches(result, groups)}
    if rule.applies_to is CountScope.ALL_CELLS:
        hidden |= _small_cells([row for row in results if row["id"] not in hidden], rule)
    return frozenset(hidden)


def factor_of(result: ResultDict) -> str | None:
    """Return the attribute a result is about, if it is about one."""
    group = result.get("group") or {}
    factor = group.get("factor") or (result.get("extra") or {}).get("factor")
    return str(factor) if factor else None


def levels_of(result: ResultDict) -> tuple[str, ...]:
    """Return the levels a result tells of; none for one about the attribute as a whole."""
    group = result.get("group") or {}
    level, versus = group.get("level"), group.get("versus")
    if level in {None, "", EVERY_LEVEL}:
        return ()
    return (str(level), str(versus)) if versus else tuple(str(level).split(CONTRAST))


def components(factor: str) -> tuple[str, ...]:
    """Return the attributes whose intersection the factor is; one for a plain attribute."""
    return tuple(INTERSECTION.split(factor))


def _withheld_groups(results: Sequence[ResultDict], rule: Rule) -> dict[str, set[str]]:
    """Return, per factor, the levels that stay hidden."""
    sizes = _sizes(results)
    groups: dict[str, set[str]] = {}
    for factor, levels in sizes.items():
        hidden = {level for level, counts in levels.items() if min(counts) < rule.least}
        groups[factor] = _with_complements(levels, hidden, rule) if hidden else set()
    # An intersection's rows add up to its attributes' levels: one hidden number hides the table.
    for factor in groups:
        parts = components(factor)
        if len(parts) > 1 and any(groups.get(part) for part in (factor, *parts)):
            groups[factor] = set(sizes[factor])
    return groups


def _with_complements(
    levels: Mapping[str, Sequence[int]], hidden: set[str], rule: Rule
) -> set[str]:
    """Hide further levels, smallest first, until the total gives no hidden one away."""
    widened = set(hidden)
    others = sorted((level for level in levels if level not in hidden), key=lambda x: levels[x][0])
    for level in others:
        together = [sum(counts) for counts in zip(*(levels[x][:1] for x in widened), strict=True)]
        if len(widened) > 1 and min(together) >= rule.least:
            break
        widened.add(level)
    return widened


def _sizes(results: Iterable[ResultDict]) -> dict[str, dict[str, list[int]]]:
    """Return what counts a level: patients first, then cases with and without the condition."""
    sizes: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for result in results:
        factor, levels = factor_of(result), levels_of(result)
        if factor is None or len(levels) != 1 or REST in levels:
            continue
        counts = [int(result["patients"]), int(result["n"])]
        positives = int(result.get("n_positive") or 0)
        # A sensitivity counts only patients with the condition: there is no second part then.
        if 0 < positives < counts[1]:
            counts += [positives, counts[1] - positives]
        known = sizes[factor].setdefault(levels[0], [])
        known[:] = [max(known[0], counts[0]), *known[1:], *counts[1:]] if known else counts
    return sizes


def _touches(result: ResultDict, groups: Mapping[str, set[str]]) -> bool:
    """Say whether a result tells of a hidden level, directly or by comparison."""
    factor = factor_of(result)
    if factor is None:
        # Appendix rows name their factor in the id only.
        words = set(str(result["id"]).split("@")[0].split("."))
        return any(hidden and name in words for name, hidden in groups.items())
    if result["quantity"] == CANDIDATE_CAUSE or _mixes_hidden(result, groups):
        return True
    hidden = groups.get(factor, set())
    levels = levels_of(result)
    # A test over all levels, or one against the rest, is an equation with one unknown.
    if not levels:
        return bool(hidden)
    return bool(hidden) and (REST in levels or any(level in hidden for level in levels))


def _mixes_hidden(result: ResultDict, groups: Mapping[str, set[str]]) -> bool:
    """Say whether a difference is adjusted for an attribute of hidden or of unknown sizes."""
    name = (result.get("group") or {}).get("adjusted_for")
    return name is not None and (name not in groups or bool(groups[name]))


def _small_cells(results: Sequence[ResultDict], rule: Rule) -> set[str]:
    """Return what tells of a cell below the minimum, with all that shares its table."""
    tables: dict[tuple[str, ...], list[ResultDict]] = defaultdict(list)
    for result in results:
        tables[_table_of(result)].append(result)
    return {
        str(result["id"])
        for rows in tables.values()
        if any(_has_small_cell(row, rule) for row in rows)
        for result in rows
    }


def _table_of(result: ResultDict) -> tuple[str, ...]:
    """Name the table of counts a result belongs to: its group, and its operating point if any."""
    name, _, scenario = str(result["id"]).partition("@")
    words = name.split(".")
    group = result.get("group") or {}
    place = (str(group.get("factor", "")), str(group.get("level", "")))
    if words[0] == "count":
        return (*place, *words[:2])
    counted = result.get("numerator") is not None
    point = words[1] if len(words) > 1 and words[1] != place[0] else ""
    return (*place, point if point or not counted else words[0], scenario)


def _has_small_cell(result: ResultDict, rule: Rule) -> bool:
    numerator, denominator = result.get("numerator"), result.get("denominator")
    extra = result.get("extra") or {}
    if any(extra[name] < rule.min_cell for name in PAIRED_CELLS if name in extra):
        return True
    if numerator is None:
        return False
    cells = [numerator] if denominator is None else [numerator, denominator - numerator]
    return any(cell < rule.min_cell for cell in cells)
