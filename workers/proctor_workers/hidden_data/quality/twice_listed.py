"""Looks for one person under two patients by what the table says of them.

Two patients with the same attributes are nothing by themselves. They are told where chance would
hardly make any such pair: with n patients and independent attributes whose value v has the
frequency p(v), the expected number of pairs with the same values is n (n - 1) / 2 · ∏ ∑ p(v)².
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, attribute_names

BY_CHANCE = 0.01  # expected pairs in the cohort, below which a pair is told
FEWEST = 3  # attributes that both patients must have


def twice_listed_findings(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield patients whose attributes all coincide with an earlier patient's, against chance.

    Attributes that follow from each other (scanner and site) make chance pairs more frequent than
    the formula says, so this is a note.
    """
    patients = _patients(cases)
    names = _independent(attribute_names(cases), patients)
    if len(names) < FEWEST:
        return
    if len(patients) * (len(patients) - 1) / 2 * _same(names, patients) >= BY_CHANCE:
        return
    groups: defaultdict[tuple[str, ...], list[SeenCase]] = defaultdict(list)
    for one in patients:
        values = tuple(one.attributes.get(name, "") for name in names)
        if sum(map(bool, values)) >= FEWEST:
            groups[values].append(one)
    for first, *others in groups.values():
        for other in others:
            yield Finding(
                code="patient.listed_twice",
                severity=Severity.NOTE,
                message="Two patients have the same attributes, which chance would hardly make.",
                cure="Look whether they are one person under two numbers.",
                case=other.name,
                values={"other": first.name},
            )


def _same(names: Sequence[str], patients: Sequence[SeenCase]) -> float:
    """Return the probability that two patients have the same values by chance."""
    found = 1.0
    for name in names:
        counts = Counter(one.attributes.get(name, "") for one in patients)
        found *= sum(number**2 for number in counts.values()) / len(patients) ** 2
    return found


def _patients(cases: Sequence[SeenCase]) -> list[SeenCase]:
    """Return each patient's first case."""
    first: dict[str, SeenCase] = {}
    for one in cases:
        first.setdefault(one.patient, one)
    return list(first.values())


def _independent(names: Sequence[str], patients: Sequence[SeenCase]) -> list[str]:
    """Leave out attributes whose value follows from those before: they are no further evidence."""
    kept: list[str] = []
    for name in names:
        levels = {one.attributes.get(name, "") for one in patients}
        if len(levels) > 1 and not any(_follows(name, other, patients) for other in kept):
            kept.append(name)
    return kept


def _follows(name: str, other: str, patients: Sequence[SeenCase]) -> bool:
    """Say whether one attribute is a function of the other, in either direction."""
    pairs = {(one.attributes.get(name, ""), one.attributes.get(other, "")) for one in patients}
    most = max(len({pair[0] for pair in pairs}), len({pair[1] for pair in pairs}))
    return len(pairs) == most and most < len(patients) / 2  # of unique values everything follows
