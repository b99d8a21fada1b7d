"""Which causes of a gap the data speak for, which they speak against, and which they cannot tell.

Rules over evidence that others measured. A finding says "associated with": no cohort of cases
proves a cause. The crude gap stays primary whatever is found here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from proctor_workers.statistics.shared import Difference
from proctor_workers.subgroups.adjusted import Adjusted, TwoGaps

FEWEST_DISCORDANT = 10  # patients of each kind on whom marker and truth must disagree


class Cause(StrEnum):
    """What may lie behind a gap."""

    WEAKER_SIGNAL = "weaker signal"
    SHIFTED_SCORES = "shifted scores"
    MIX = "mix of another attribute"
    REFERENCE_NOISE = "noise in the reference standard"
    SHORTCUT = "shortcut"
    PREVALENCE = "prevalence only"
    INTERSECTION = "intersection only"
    TOO_FEW = "too few patients"


class Verdict(StrEnum):
    """What the data say of a cause."""

    CANDIDATE = "candidate cause"
    NOT_SUPPORTED = "not supported"
    NOT_SEPARABLE = "cannot be separated"
    NO_GAP = "no gap to explain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause, what the data say of it in a sentence, and the numbers behind it."""

    cause: Cause
    verdict: Verdict
    statement: str
    attribute: str | None = None
    evidence: Mapping[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A mark that comes with the image, and how cases fare where it disagrees with the truth.

    `concordance` is performance where marker and truth agree minus where they do not, as the mean
    over both classes of the truth; `gaps` compares the gap crude and within levels of the marker.
    """

    attribute: str
    fewest_discordant: int
    concordance: Difference | None
    gaps: Adjusted | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A gap inside one level of another attribute (`first`) and outside of it (`second`)."""

    attribute: str
    level: str
    gaps: TwoGaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured about one gap, level minus other; None where it could not be.

    `shown`: the family's test rejected and the interval lies beyond the margin. `two_classes`:
    cases have a reference status, so that scores could be ranked against it. `threshold`: the
    gap at the device's decision and at equal specificity (or sensitivity). `readers`: the gap on
    all cases and on those that every reader agrees on; `disagreement`: how much more often the
    level's readers disagree. `prevalence_gaps`: a quantity that depends on prevalence, as it is
    and at one prevalence for both groups. `crossings`: the gap inside and outside the levels of a
    second attribute; `intersection` says that the level itself is one, and each crossing one of
    its attributes within the others.
    """

    level: str
    other: str
    quantity: str
    gap: Difference
    shown: bool
    margin: float
    patients: int
    fewest_patients: int
    two_classes: bool = True
    area: Difference | None = None
    threshold: TwoGaps | None = None
    mixes: tuple[Adjusted, ...] = ()
    disagreement: Difference | None = None
    readers: TwoGaps | None = None
    markers: tuple[Marker, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    intersection: bool = False
    prevalence: Difference | None = None
    prevalence_gaps: TwoGaps | None = None


def candidate_causes(found: Evidence) -> tuple[Finding, ...]:
    """Weigh every cause that the evidence has something on.

    A group below the minimum gets one finding, that nothing can be separated. Where no gap is
    shown, only what hides or imitates one is named.
    """
    if found.patients < found.fewest_patients:
        return (
            Finding(
                cause=Cause.TOO_FEW,
                verdict=Verdict.NOT_SEPARABLE,
                statement=f"Cannot be separated: fewer than {found.fewest_patients} patients.",
            ),
        )
    findings = [*_prevalence(found), *_mixes(found)]
    if found.shown:
        findings += [
            *_signal_or_shift(found),
            *_readers(found),
            *_markers(found),
            *_crossings(found),
        ]
    return tuple(findings)


def _toward(gap: Difference, part: Difference) -> bool:
    """Whether a part of a gap is shown and goes the gap's way."""
    return part.beyond() and part.estimate * gap.estimate > 0


def _prevalence(found: Evidence) -> Iterator[Finding]:
    """A difference in prevalence alone is not a difference in sensitivity or specificity."""
    if found.prevalence is None or not found.prevalence.beyond():
        return
    evidence = {"prevalence": found.prevalence}
    gaps = found.prevalence_gaps
    if gaps is None:
        if not found.shown and found.gap.within(found.margin):
            yield Finding(
                cause=Cause.PREVALENCE,
                verdict=Verdict.NO_GAP,
                statement=f"The prevalence differs, {found.quantity} by less than the margin: a "
                "difference in prevalence alone is none in performance.",
                evidence=evidence | {"gap": found.gap},
            )
        return
    evidence |= {"crude": gaps.first, "at equal prevalence": gaps.second, "explained": gaps.change}
    follows = _toward(gaps.first, gaps.change) and gaps.second.within(found.margin)
    yield Finding(
        cause=Cause.PREVALENCE,
        verdict=Verdict.CANDIDATE if follows else Verdict.NOT_SUPPORTED,
        statement=f"The gap in {found.quantity} is associated with the prevalence: at equal "
        "prevalence it lies inside the margin."
        if follows
        else f"At equal prevalence the gap in {found.quantity} is not shown to vanish.",
        evidence=evidence,
    )


def _mixes(found: Evidence) -> Iterator[Finding]:
    for mix in found.mixes:
        if mix.gap is None or not mix.usable:
            if found.shown:
                yield Finding(
                    cause=Cause.MIX,
                    verdict=Verdict.NOT_SEPARABLE,
                    attribute=mix.attribute,
                    statement=f"Cannot be separated from {mix.attribute}: {mix.reason}.",
                )
            continue
        hidden = not found.shown and mix.gap.adjusted.beyond(found.margin)
        if not found.shown and not (hidden and mix.gap.explained.beyond()):
            continue
        associated = hidden or _toward(mix.gap.crude, mix.gap.explained)
        yield Finding(
            cause=Cause.MIX,
            verdict=Verdict.CANDIDATE if associated else Verdict.NOT_SUPPORTED,
            attribute=mix.attribute,
            statement=_mix_sentence(mix, found, associated=associated, hidden=hidden),
            evidence={
                "crude": mix.gap.crude,
                "adjusted": mix.gap.adjusted,
                "explained": mix.gap.explained,
            },
        )


def _mix_sentence(mix: Adjusted, found: Evidence, *, associated: bool, hidden: bool) -> str:
    attribute = mix.attribute
    if hidden:
        return f"Among cases of equal {attribute} there is a gap that its mix hides overall."
    if not associated:
        return f"The gap is not shown to be associated with {attribute}."
    if mix.gap is not None and mix.gap.reversed:
        return (
            f"Among cases of equal {attribute} the gap has the opposite sign (Simpson's paradox): "
            f"the crude gap is associated with how {attribute} is mixed in the two groups."
        )
    if mix.gap is not None and mix.gap.adjusted.within(found.margin):
        return (
            f"The gap is associated with {attribute}: among equal cases it lies inside the margin."
        )
    return f"Part of the gap is associated with {attribute}."


def _signal_or_shift(found: Evidence) -> Iterator[Finding]:
    """Tell a lower ROC curve from another point on the same one."""
    if not found.two_classes:
        return
    numbers = {} if found.area is None else {"area": found.area}
    if found.threshold is None:
        lower = found.area is not None and _toward(found.gap, found.area)
        if lower:
            yield _weaker(found, numbers)
        elif found.area is None:
            for cause in (Cause.WEAKER_SIGNAL, Cause.SHIFTED_SCORES):
                yield Finding(
                    cause=cause,
                    verdict=Verdict.NOT_SEPARABLE,
                    statement="Cannot be separated: the device gives no score to rank cases by.",
                )
        return
    parts = found.threshold
    numbers |= {
        "at the decision": parts.first,
        "at the other group's rate": parts.second,
        "moved along the curve": parts.change,
    }
    weaker, moved = _toward(found.gap, parts.second), _toward(found.gap, parts.change)
    if weaker:
        yield _weaker(found, numbers)
    if moved:
        yield Finding(
            cause=Cause.SHIFTED_SCORES,
            verdict=Verdict.CANDIDATE,
            statement="The group stands at another point of the ROC curve: its scores are shifted "
            "against the threshold, as by a scanner's gain or offset or by calibration.",
            evidence=numbers,
        )
    if not weaker and not moved:
        yield Finding(
            cause=Cause.WEAKER_SIGNAL,
            verdict=Verdict.NOT_SEPARABLE,
            statement="A lower curve and a shift along it cannot be separated: both intervals "
            "contain 0.",
            evidence=numbers,
        )


def _weaker(found: Evidence, numbers: Mapping[str, Difference]) -> Finding:
    """A lower curve, unless cases that all readers agree on leave none or no telling."""
    verdict, sentence = Verdict.CANDIDATE, "Scores separate the two classes less in the group."
    readers = found.readers
    if readers is not None and _toward(readers.first, readers.change):
        if readers.second.within(found.margin):
            verdict = Verdict.NOT_SUPPORTED
            sentence = "Scores separate the classes less, but not where all readers agree."
        elif not _toward(found.gap, readers.second):
            verdict = Verdict.NOT_SEPARABLE
            sentence = (
                "A weaker signal cannot be separated from noise in the reference standard: where "
                "all readers agree the gap's interval contains 0."
            )
    return Finding(cause=Cause.WEAKER_SIGNAL, verdict=verdict, statement=sentence, evidence=numbers)


def _readers(found: Evidence) -> Iterator[Finding]:
    if found.readers is None or found.disagreement is None:
        yield Finding(
            cause=Cause.REFERENCE_NOISE,
            verdict=Verdict.NOT_SEPARABLE,
            statement="Cannot be separated: the reference standard has no values by reader.",
        )
        return
    noisy = found.disagreement.beyond() and found.disagreement.estimate > 0
    follows = noisy and _toward(found.readers.first, found.readers.change)
    yield Finding(
        cause=Cause.REFERENCE_NOISE,
        verdict=Verdict.CANDIDATE if follows else Verdict.NOT_SUPPORTED,
        statement="Readers disagree more often in the group, and the gap is smaller among cases "
        "that all readers agree on (which may also be the easier ones)."
        if follows
        else "Values by reader do not speak for a noisier reference standard in the group.",
        evidence={
            "disagreement": found.disagreement,
            "all cases": found.readers.first,
            "unanimous cases": found.readers.second,
            "explained": found.readers.change,
        },
    )


def _markers(found: Evidence) -> Iterator[Finding]:
    for marker in found.markers:
        if marker.concordance is None or marker.fewest_discordant < FEWEST_DISCORDANT:
            yield Finding(
                cause=Cause.SHORTCUT,
                verdict=Verdict.NOT_SEPARABLE,
                attribute=marker.attribute,
                statement=f"Cannot be separated: {marker.attribute} and truth disagree on too few "
                f"patients ({FEWEST_DISCORDANT} of each kind are needed).",
            )
            continue
        follows = marker.concordance.beyond() and marker.concordance.estimate > 0
        evidence = {"concordant minus discordant": marker.concordance}
        if marker.gaps is not None and marker.gaps.gap is not None:
            evidence |= {
                "crude": marker.gaps.gap.crude,
                "at equal marker": marker.gaps.gap.adjusted,
                "explained": marker.gaps.gap.explained,
            }
            follows &= _toward(marker.gaps.gap.crude, marker.gaps.gap.explained)
        yield Finding(
            cause=Cause.SHORTCUT,
            verdict=Verdict.CANDIDATE if follows else Verdict.NOT_SUPPORTED,
            attribute=marker.attribute,
            statement=f"Decisions follow {marker.attribute} where it disagrees with the truth, and "
            "the gap is smaller among cases of equal marker."
            if follows
            else f"Decisions are not shown to follow {marker.attribute} against the truth.",
            evidence=evidence,
        )


def _crossings(found: Evidence) -> Iterator[Finding]:
    confined = [one for one in found.crossings if _confined(found, one)]
    if not found.intersection:
        for one in confined:
            yield Finding(
                cause=Cause.INTERSECTION,
                verdict=Verdict.CANDIDATE,
                attribute=one.attribute,
                statement=f"The gap lies where {one.attribute} is {one.level}; elsewhere it is "
                "inside the margin.",
                evidence=_inside_and_elsewhere(one),
            )
    elif found.crossings:
        alone = len(confined) == len(found.crossings)
        yield Finding(
            cause=Cause.INTERSECTION,
            verdict=Verdict.CANDIDATE if alone else Verdict.NOT_SUPPORTED,
            attribute="+".join(one.attribute for one in found.crossings),
            statement="The gap lies in the intersection: each attribute alone shows none elsewhere."
            if alone
            else "The gap is not shown to be confined to the intersection.",
            evidence={
                f"{one.attribute}: {name}": number
                for one in found.crossings
                for name, number in _inside_and_elsewhere(one).items()
            },
        )


def _confined(found: Evidence, one: Crossing) -> bool:
    inside = _toward(found.gap, one.gaps.first) and _toward(found.gap, one.gaps.change)
    return inside and one.gaps.second.within(found.margin)


def _inside_and_elsewhere(one: Crossing) -> dict[str, Difference]:
    return {"inside": one.gaps.first, "elsewhere": one.gaps.second, "change": one.gaps.change}
