"""Counts the classes of the reference standard, over all and by subgroup."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, attribute_names
from proctor_workers.hidden_data.quality.tables import Cell, Table

MOST_CLASSES = 20  # beyond it the reference is a quantity or a text, not a class
MOST_LEVELS = 20  # of an attribute, to be a subgroup
FEW_PATIENTS = 30  # a result on fewer is flagged as not reliable
ACQUISITION = ("modality", "manufacturer", "scanner")

Level = Callable[[SeenCase], str]


def class_of(one: SeenCase) -> str:
    """Return the class of a case; several labels stay joined."""
    return one.value


def classes(cases: Sequence[SeenCase]) -> list[str]:
    """Return the classes that occur, or none if the reference is no class."""
    found = sorted({class_of(one) for one in cases} - {""})
    return found if len(found) <= MOST_CLASSES else []


def balance_findings(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield subgroups in which one class only occurs, or whose patients are few."""
    known = classes(cases)
    if len(known) == 1 and len(cases) > 1:
        yield Finding(
            code="balance.one_class",
            severity=Severity.WARNING,
            message=f"All cases with a reference value are of the class {known[0]}.",
            cure="Add cases of another class: specificity or sensitivity cannot be measured.",
        )
    for name, level in _groupings(cases).items():
        if groups := _groups(cases, level):
            yield from _one_class(name, groups, known)
            yield from _few(name, groups)


def balance_tables(cases: Sequence[SeenCase]) -> Iterator[Table]:
    """Yield one table for each grouping: cases of each class by level, and patients."""
    known = classes(cases)
    for name, level in _groupings(cases).items():
        groups = _groups(cases, level)
        rows: list[tuple[Cell, ...]] = []
        for value, members in sorted(groups.items()):
            counts = Counter(class_of(one) for one in members)
            patients = len({one.patient for one in members})
            rows.append((value, len(members), patients, *(counts[label] for label in known)))
        if rows:
            yield Table(
                name=f"balance.{name}",
                title=f"Classes by {name.removeprefix('attr.')}",
                columns=(
                    name.removeprefix("attr."),
                    "cases",
                    "patients",
                    *(f"class {label}" for label in known),
                ),
                rows=tuple(rows),
            )


def _groupings(cases: Sequence[SeenCase]) -> dict[str, Level]:
    names = attribute_names(cases)
    found: dict[str, Level] = {"site": lambda one: one.site}
    found |= {f"attr.{name}": _attribute(name) for name in names}
    return found | {name: _fact(name) for name in ACQUISITION}


def _attribute(name: str) -> Level:
    return lambda one: one.attributes.get(name, "")


def _fact(name: str) -> Level:
    return lambda one: one.word(name)


def _groups(cases: Sequence[SeenCase], level: Level) -> dict[str, list[SeenCase]]:
    """Return the cases by level, if there are 2 to `MOST_LEVELS`; several races count in each."""
    groups: defaultdict[str, list[SeenCase]] = defaultdict(list)
    for one in cases:
        for value in level(one).split("|"):
            if value:
                groups[value].append(one)
        if len(groups) > MOST_LEVELS:
            return {}
    return dict(groups) if len(groups) > 1 else {}


def _one_class(
    name: str, groups: dict[str, list[SeenCase]], known: Sequence[str]
) -> Iterator[Finding]:
    for value, members in sorted(groups.items()):
        found = {class_of(one) for one in members} - {""}
        if len(known) > 1 and len(found) == 1:
            yield Finding(
                code="balance.one_class",
                severity=Severity.WARNING,
                message=f"All cases of {value} are of the class {found.pop()}.",
                cure="Add cases of the other classes, or leave the level out of the protocol's "
                "subgroups.",
                column=name,
            )


def _few(name: str, groups: dict[str, list[SeenCase]]) -> Iterator[Finding]:
    few = {
        value: patients
        for value, members in sorted(groups.items())
        if (patients := len({one.patient for one in members})) < FEW_PATIENTS
    }
    if few:
        levels = ", ".join(f"{value} ({patients})" for value, patients in few.items())
        yield Finding(
            code="balance.few_patients",
            severity=Severity.NOTE,
            message=f"Fewer than {FEW_PATIENTS} patients: {levels}.",
            cure="Results of these levels will be flagged as not reliable.",
            column=name,
        )
