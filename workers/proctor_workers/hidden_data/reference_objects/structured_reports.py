"""Reads DICOM structured reports: measurements (TID 1500) and findings of CAD (TID 4000 ff.).

A measurement group with regions becomes a box, one with a point only a point; what was found names
its category. Evaluations without a region become the case's category, numbers the values.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.outputs import LARGEST_NUMBER, MOST_PARTS
from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.reference_objects.masks import Taken, not_named, not_taken, outside
from proctor_workers.hidden_data.reference_objects.naming import Names
from proctor_workers.hidden_data.reference_objects.regions import Region, Regions
from proctor_workers.hidden_data.reference_objects.report_items import Code, Item, all_items

# PS3.16: DCM, TID 1410/1411, TID 4006 and 4104 (findings of CAD), TID 1502.
GROUP = "125007"
FINDING = "121071"
# Where something is and how it was measured: no evaluation (SCT and, before, SRT codes).
MODIFIERS = frozenset({
    "363698007", "G-C0E3", "272741003", "G-C171", "276214006", "121401", "370129005", "G-C036",
    "112039", "112040",
})  # fmt: skip
SINGLE_IMAGE_FINDING = "111059"
CERTAINTY = "111012"
RENDERING, NOT_FOR_PRESENTATION = "111056", "111152"
EVALUATIONS = frozenset({"C0034375"})  # UMLS, Qualitative Evaluations
COORDINATES = frozenset({"SCOORD", "SCOORD3D"})
_CAD = tuple(f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (50, 65, 69))


def report_outputs(header: Dataset, name: str, names: Names, grid: Grid) -> Taken:
    """Return boxes, points, category and values of a structured report."""
    root = Item(header)
    items = list(all_items(root))
    reading = _Reading(names, Regions(root, grid))
    cad = str(header.get("SOPClassUID") or "") in _CAD
    if cad:
        reading.add_cad([one for one in items if one.concept.value == SINGLE_IMAGE_FINDING])
    else:
        groups = [one for one in items if one.concept.value == GROUP]
        if not groups and not any(one.concept.value in EVALUATIONS for one in items):
            return _NOTHING_TAKEN, ()
        reading.add_groups(groups)
        reading.add_evaluations([one for one in items if one.concept.value in EVALUATIONS])
    outputs = reading.outputs(none_found=cad)
    if not outputs:
        return _NOTHING_TAKEN, ()
    if any(len(outputs.get(tag, ())) > MOST_PARTS for tag in ("boxes", "points")):
        return Refusal(f"has more than {MOST_PARTS} findings", "Split it."), ()
    return canonical_bytes(outputs).decode(), tuple(reading.findings(name, outputs))


_NOTHING_TAKEN = Refusal(
    "is a report without regions, evaluations or measurements that are read",
    "Export it by TID 1500 (imaging measurement report), or give the reference as JSON.",
)


class _Reading:
    """Collects what a report says of the case."""

    def __init__(self, names: Names, regions: Regions) -> None:
        self._names, self._regions = names, regions
        self._boxes: list[dict[str, Any]] = []
        self._points: list[dict[str, Any]] = []
        self._has_places = False
        self._values: list[tuple[str, float]] = []
        self._categories: set[str] = set()
        self._unnamed = 0

    def add_cad(self, found: Sequence[Item]) -> None:
        """Take the findings of a computer-aided detection that are to be shown."""
        for item in found:
            children = item.children
            if any(_is(one, RENDERING) and one.code.value == NOT_FOR_PRESENTATION
                   for one in children):  # fmt: skip
                continue
            percent = next((one.number() for one in children if _is(one, CERTAINTY)), None)
            score = None if percent is None else percent / 100
            self._add_place(item.code, self._placed(children), score)

    def add_groups(self, groups: Sequence[Item]) -> None:
        """Take the measurement groups."""
        for group in groups:
            children = group.children
            if any(_is_place(one) for one in children):
                found = next((one.code for one in children if _is(one, FINDING)), Code())
                self._add_place(found, self._placed(children), None)
            else:
                self.add_evaluations([group])
            self._add_numbers(children)

    def add_evaluations(self, containers: Sequence[Item]) -> None:
        """Take what the report says of the case as a whole, of no region."""
        for container in containers:
            for item in container.children:
                if item.kind != "CODE" or item.concept.value in MODIFIERS:
                    continue
                name = self._names.of(item.code.meaning, item.code.value)
                if name is not None:
                    self._categories.add(name)

    def _placed(self, children: Sequence[Item]) -> list[Region]:
        places = [self._regions.of(one) for one in children if _is_place(one)]
        return [place for place in places if place is not None]

    def _add_place(self, found: Code, places: Sequence[Region], score: float | None) -> None:
        self._has_places = True
        name = self._names.of(found.meaning, found.value)
        if name is None and (found.meaning or found.value):
            self._unnamed += 1
            return
        part: dict[str, Any] = {} if name is None else {"category": name}
        if score is not None and abs(score) <= LARGEST_NUMBER:
            part["score"] = score
        drawn = [place for place in places if not place.is_point]
        flat = self._regions.flat
        if drawn:
            whole = drawn[0]
            for place in drawn[1:]:
                whole = whole.joined(place)
            self._boxes.append({"box": whole.box(flat=flat)} | part)
        else:
            self._points += ({"point": place.point(flat=flat)} | part for place in places)

    def _add_numbers(self, children: Sequence[Item]) -> None:
        for item in children:
            value = item.number() if item.kind == "NUM" else None
            name = self._names.of(item.concept.meaning, item.concept.value)
            if name is not None and value is not None and abs(value) <= LARGEST_NUMBER:
                self._values.append((name, value))

    def outputs(self, *, none_found: bool) -> dict[str, Any]:
        """Return the outputs; `none_found`: a report without findings says that there are none."""
        found: dict[str, Any] = {}
        if self._boxes or (not self._points and (none_found or self._has_places)):
            found["boxes"] = self._boxes
        if self._points:
            found["points"] = self._points
        if len(self._categories) == 1:
            found["category"] = next(iter(self._categories))
        times = Counter(name for name, _ in self._values)
        if values := {name: value for name, value in self._values if times[name] == 1}:
            found["value"] = values
        return found

    def findings(self, name: str, outputs: dict[str, Any]) -> list[Finding]:
        """Return what of the report is not in the outputs."""
        found = not_taken(name, self._unnamed)
        if self._unnamed and not self._boxes and not self._points:
            found.append(not_named(name))
        if self._regions.elsewhere:
            found.append(outside(name, self._regions.elsewhere, "regions"))
        if len(self._categories) > 1 and "category" not in outputs:
            found.append(_several(name, "evaluations of the case contradict each other"))
        if len({word for word, _ in self._values}) > len(outputs.get("value", ())):
            found.append(_several(name, "quantities are measured more than once"))
        return found


def _is(item: Item, concept: str) -> bool:
    return item.concept.value == concept


def _is_place(item: Item) -> bool:
    return item.kind in COORDINATES


def _several(name: str, what: str) -> Finding:
    return Finding(
        code="reference.ambiguous",
        severity=Severity.WARNING,
        message=f"Several {what}; none of them is taken.",
        cure="Give the one that counts in the table of cases.",
        file=name,
    )
