"""Checks the reference standard: its labels, its masks and boxes, what is missing of it."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.quality.balance import classes
from proctor_workers.hidden_data.quality.seen_cases import SeenCase
from proctor_workers.hidden_data.quality.tables import Table

MUCH_MISSING = 0.1  # of the cases without a reference standard
IGNORE = "ignore"  # the category of regions where marks do not count
VALUE_ONLY, NOTHING = "a value", "nothing"
NO_LABEL = "none"  # how several labels say that there is none
GEOMETRY, EMPTY = "reference.geometry", "reference.empty"
LARGEST_PARSED = 1 << 20  # of outputs in JSON: boxes and points; images are no labels
_NAMED_RUNS = re.compile(r'"((?:[^"\\]|\\.)*)":\[')


class ReferenceCheck:
    """Sees every case once, as its outputs may be large, and tells at the end what is missing.

    `labels` are the names that masks, boxes and values may bear; none given allows any.
    """

    def __init__(self, labels: Collection[str]) -> None:
        self._labels = frozenset(labels)
        self._names: Counter[str] = Counter()
        self._tags: Counter[str] = Counter()

    def of_case(self, one: IngestedCase) -> Iterator[Finding]:
        """Yield what is wrong with one case's outputs; `Finding.case` is the partner's name."""
        outputs = one.case.reference_outputs
        if outputs is None:
            self._tags[VALUE_ONLY if one.case.row.reference_value else NOTHING] += 1
        elif outputs.startswith('{"mask":'):
            self._tags["mask"] += 1
            mask = _Mask(outputs)
            yield from _of_mask(one, mask)
            yield from self._named(one, mask.names)
        elif len(outputs) > LARGEST_PARSED:
            self._tags["image, field or series"] += 1
        else:
            document = json.loads(outputs)
            self._tags[", ".join(document)] += 1
            yield from _outside(one, document)
            yield from self._named(one, _categories(document))

    def _named(self, one: IngestedCase, names: Collection[str]) -> Iterator[Finding]:
        self._names.update(names)
        if self._labels and (unknown := set(names) - self._labels - {IGNORE}):
            yield Finding(
                code="reference.label",
                severity=Severity.ERROR,
                message=f"The reference names {_listed(unknown)}, which is no label of the plan.",
                cure="Correct it, or name it under reference_labels in the plan.",
                case=one.case.row.case,
            )

    def of_cohort(self, cases: Sequence[SeenCase]) -> Iterator[Finding]:
        """Yield what concerns the reference standard as a whole."""
        yield from self._never_used(cases)
        yield from self._values_outside(cases)
        yield from self._mixed()
        yield from _missing(cases)
        yield from _spellings(cases)

    def table(self, cases: Sequence[SeenCase]) -> Table:
        """Return the counts of statuses, kinds of truth, values and labels."""
        rows: list[tuple[str, str, int, float]] = []
        parts = [
            ("status", Counter(one.status for one in cases)),
            ("given as", +self._tags),
            ("value", Counter(one.value for one in cases if one.value) if classes(cases) else {}),
            ("label or category", self._names),
        ]
        for what, counts in parts:
            ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
            rows += [(what, name, number, number / len(cases)) for name, number in ordered[:50]]
        return Table(
            name="reference",
            title="Reference standard",
            columns=("what", "which", "cases", "share"),
            rows=tuple(rows),
        )

    def _never_used(self, cases: Sequence[SeenCase]) -> Iterator[Finding]:
        used = set(self._names) | _value_labels(cases)
        if self._labels & used and (never := self._labels - used):
            yield Finding(
                code="reference.label_unused",
                severity=Severity.WARNING,
                message=f"In no case occurs {_listed(never)}.",
                cure="Add cases that show it, or leave the label out of the plan.",
            )

    def _values_outside(self, cases: Sequence[SeenCase]) -> Iterator[Finding]:
        """Yield values outside the labels, where values are written in these labels at all."""
        if not self._labels & _value_labels(cases):
            return
        for one in cases:
            unknown = set(one.value.split("|")) - self._labels - {NO_LABEL, ""}
            if unknown:
                yield Finding(
                    code="reference.label",
                    severity=Severity.ERROR,
                    message=f"The reference names {_listed(unknown)}, which is no label of the "
                    "plan.",
                    cure="Correct it, or name it under reference_labels in the plan.",
                    case=one.name,
                    column="reference_value",
                )

    def _mixed(self) -> Iterator[Finding]:
        kinds = [kind for kind in self._tags if kind not in {NOTHING, VALUE_ONLY}]
        if len(kinds) > 1 or (kinds and self._tags[VALUE_ONLY]):
            counts = ", ".join(f"{kind} ({number})" for kind, number in sorted(self._tags.items()))
            yield Finding(
                code="reference.mixed",
                severity=Severity.NOTE,
                message=f"The reference standard is given in several ways: {counts}.",
                cure="A task compares one way only; cases without it are left out of it.",
            )


class _Mask:
    """What canonical JSON says of a mask, without parsing millions of runs."""

    def __init__(self, outputs: str) -> None:
        at = outputs.rfind('"size":[')
        self.size = tuple(int(side) for side in outputs[at + 8 : outputs.find("]", at)].split(","))
        self.instances = outputs.startswith('{"mask":{"instances":')
        self.names: set[str] = set()
        self.empty = not self.instances
        if self.instances:
            found = re.findall(r'"category":"((?:[^"\\]|\\.)*)"', outputs)
            self.names = {json.loads(f'"{name}"') for name in found}
            return
        place = outputs.find("{", 8)  # of the labels, behind that of the mask
        place = outputs.find("{", place + 1)
        while (match := _NAMED_RUNS.search(outputs, place, at)) is not None:
            place = outputs.find("]", match.end())
            self.names.add(json.loads(f'"{match[1]}"'))
            self.empty = self.empty and place == match.end()


def _of_mask(one: IngestedCase, mask: _Mask) -> Iterator[Finding]:
    """Yield what is wrong with a mask, unless it was told when its file was read."""
    told = {finding.code for finding in one.findings}
    if mask.empty and EMPTY not in told:
        yield _empty(one)
    if GEOMETRY not in told:
        yield from _size_differs(one, mask.size)


def _categories(document: Mapping[str, Any]) -> set[str]:
    found = {
        str(part["category"])
        for tag in ("boxes", "points")
        for part in document.get(tag, ())
        if "category" in part
    }
    return found | ({str(document["category"])} if "category" in document else set())


def _empty(one: IngestedCase) -> Finding:
    return Finding(
        code="reference.empty",
        severity=Severity.WARNING,
        message="The mask is empty.",
        cure="Look whether nothing is there; if the truth is not known, set its status to missing.",
        case=one.case.row.case,
    )


def _picture(one: IngestedCase) -> tuple[int, ...] | None:
    """Return the picture's size in the order of a mask's, if it is known and has one level."""
    sides = [one.facts.get(name) for name in ("slices", "rows", "columns")]
    numbers = [int(side) if isinstance(side, int | float) else 0 for side in sides]
    levels = one.facts.get("levels", 1)
    if not numbers[1] or not numbers[2] or (isinstance(levels, int | float) and levels > 1):
        return None
    return tuple(numbers) if numbers[0] > 1 else tuple(numbers[1:])


def _size_differs(one: IngestedCase, size: Sequence[int]) -> Iterator[Finding]:
    picture = _picture(one)
    plain = tuple(size)[1:] if len(size) == 3 and size[0] == 1 else tuple(size)
    if picture is not None and plain != picture:
        yield Finding(
            code=GEOMETRY,
            severity=Severity.ERROR,
            message=f"The mask has the size {' × '.join(map(str, size))}, the picture "
            f"{' × '.join(map(str, picture))}.",
            cure="Export the mask on the grid of the picture.",
            case=one.case.row.case,
        )


def _outside(one: IngestedCase, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield whether boxes and points leave the picture: x, y and z run along its sides."""
    picture = _picture(one)
    if picture is None:
        return
    sides = picture[::-1]
    worst = max(
        (_leaves(part, sides) for tag in ("boxes", "points") for part in document.get(tag, ())),
        default=0,
    )
    if worst:
        yield Finding(
            code="reference.outside",
            severity=Severity.ERROR if worst == 2 else Severity.WARNING,
            message="A box or point lies outside the picture."
            if worst == 2
            else "A box reaches beyond the picture.",
            cure="Give places in pixels of the picture as it is stored, from its upper left.",
            case=one.case.row.case,
        )


def _leaves(part: Mapping[str, Any], sides: Sequence[int]) -> int:
    """Return 0 if a box or point is inside, 1 if a box reaches out, 2 if none of it is inside."""
    place = part.get("box") or part.get("point") or []
    dimensions = len(place) // 2 if "box" in part else len(place)
    lows = place[:dimensions]
    highs = place[-dimensions:] if dimensions else []
    pairs = list(zip(lows, highs, sides, strict=False))
    if any(high < 0 or low > side for low, high, side in pairs):
        return 2
    return int(any(low < 0 or high > side for low, high, side in pairs))


def _value_labels(cases: Sequence[SeenCase]) -> set[str]:
    return {label for value in {one.value for one in cases} for label in value.split("|")}


def _missing(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    for status, word in (("missing", "no reference standard"), ("equivocal", "an equivocal one")):
        number = sum(one.status == status for one in cases)
        if number:
            share = number / len(cases)
            yield Finding(
                code=f"reference.{status}",
                severity=Severity.WARNING if share > MUCH_MISSING else Severity.NOTE,
                message=f"{number} of {len(cases)} cases ({share:.0%}) have {word}.",
                cure="The report counts them; the protocol says what becomes of them.",
            )
    untold = sum(one.status == "verified" and not one.method for one in cases)
    if untold:
        yield Finding(
            code="reference.method_missing",
            severity=Severity.NOTE,
            message=f"{untold} verified cases do not say how the truth was found.",
            cure="Fill in reference_method: reports must describe the reference standard.",
            column="reference_method",
        )


def _spellings(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    plain: defaultdict[str, set[str]] = defaultdict(set)
    for value in {one.value for one in cases} - {""}:
        plain[value.strip().casefold()].add(value)
    for spellings in plain.values():
        if len(spellings) > 1:
            yield Finding(
                code="reference.spelling",
                severity=Severity.WARNING,
                message=f"One value seems to be written in several ways: {_listed(spellings)}.",
                cure="Write it in one way.",
                column="reference_value",
            )


def _listed(names: Collection[str]) -> str:
    first = sorted(names)[:5]
    return ", ".join(first) + (" …" if len(names) > len(first) else "")
