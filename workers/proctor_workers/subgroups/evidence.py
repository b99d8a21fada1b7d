"""The numbers that speak for or against a cause of a gap: each one gap set beside another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Hits, Metric, Plan, Share
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.shared import Difference, shared_draws
from proctor_workers.subgroups.adjusted import TwoGaps, adjust, one_gap, two_gaps
from proctor_workers.subgroups.causes import Crossing, Evidence, Marker
from proctor_workers.subgroups.equality import SMALL_LEVEL
from proctor_workers.subgroups.levels import Level
from proctor_workers.subgroups.quantities import Drawable, drawable
from proctor_workers.subgroups.threshold import moved_threshold

_NOTED = "noted"
_RATES = ("sensitivity", "specificity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A gap between two sets of rows, asked for inside one level of an attribute and elsewhere."""

    attribute: str
    level: Level
    first: Bools
    second: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap, level minus other, and what the cohort holds that may bear on it.

    `difference` and `shown` come from the contrast and its test. `others` are the further
    attributes to adjust for, `crossed` what the protocol declares an intersection with, `markers`
    where a mark is present, `unanimous` where all readers agree (None without readers).
    """

    metric: Metric
    sample: Sample
    plan: Plan
    level: Level
    other: Level
    difference: Difference
    shown: bool
    margin: float
    others: Mapping[str, Sequence[Level]] = field(default_factory=dict)
    crossed: tuple[Crossed, ...] = ()
    intersection: bool = False
    markers: Mapping[str, Bools] = field(default_factory=dict)
    unanimous: Bools | None = None


def gather(gap: Gap) -> Evidence:
    """Measure what the cohort has on every cause of a gap."""
    level, other = gap.level.rows, gap.other.rows
    cohort = drawable(gap.metric, gap.sample, gap.plan)
    patients = min(
        gap.metric.least_patients(gap.sample.take(rows), gap.plan.design) for rows in (level, other)
    )
    evidence = Evidence(
        level=gap.level.name,
        other=gap.other.name,
        quantity=gap.metric.name,
        gap=gap.difference,
        shown=gap.shown,
        margin=gap.margin,
        patients=patients,
        fewest_patients=SMALL_LEVEL,
        two_classes="positive" in gap.sample.columns,
    )
    if patients < SMALL_LEVEL:
        return evidence
    mixes = (
        adjust(cohort, level, other, attribute=name, levels=levels)
        for name, levels in gap.others.items()
    )
    evidence = replace(evidence, mixes=tuple(mixes))
    if evidence.two_classes:
        evidence = _of_two_classes(gap, evidence)
    if not gap.shown:
        return evidence
    evidence = replace(
        evidence,
        crossings=tuple(one for asked in gap.crossed for one in crossing(cohort, asked)),
        intersection=gap.intersection,
    )
    if gap.unanimous is None:
        return evidence
    return replace(
        evidence,
        readers=reader_gaps(cohort, level, other, gap.unanimous),
        disagreement=share_gap(~gap.unanimous, gap.sample, level, other, gap.plan),
    )


def _of_two_classes(gap: Gap, evidence: Evidence) -> Evidence:
    """Add what only cases with a positive or negative reference status have."""
    sample, plan = gap.sample, gap.plan
    level, other = gap.level.rows, gap.other.rows
    prevalence = share_gap(sample.positive, sample, level, other, plan)
    evidence = replace(evidence, prevalence=prevalence)
    if prevalence is not None and prevalence.beyond():
        gaps = prevalence_gaps(gap.metric, sample, level, other, plan)
        evidence = replace(evidence, prevalence_gaps=gaps)
    if not gap.shown:
        return evidence
    cohort = drawable(gap.metric, sample, plan)
    if "score" in sample.columns:
        ranked = drawable(METRICS["auroc"], sample, plan)
        evidence = replace(evidence, area=one_gap(ranked, level, other))
    if {"score", "call"} <= sample.columns.keys() and gap.metric.name in _RATES:
        found = moved_threshold(gap.metric.name, sample, level, other, plan)
        evidence = replace(evidence, threshold=found)
    if "call" in sample.columns:
        rates = (METRICS[_RATES[0]], METRICS[_RATES[1]])
        markers = [
            marker_evidence(cohort, level, other, attribute=name, present=present, rates=rates)
            for name, present in gap.markers.items()
        ]
        evidence = replace(evidence, markers=tuple(markers))
    return evidence


def share_gap(
    noted: Bools, sample: Sample, level: Bools, other: Bools, plan: Plan
) -> Difference | None:
    """Return how much more often something is so in the level than in the other rows.

    For the prevalence, `noted` is the reference status; for disagreement, cases on which the
    readers are not unanimous.
    """
    counted = replace(sample, columns=dict(sample.columns) | {_NOTED: noted})
    cohort = drawable(Share(name=_NOTED, hits=_count_noted), counted, plan)
    return one_gap(cohort, level, other)


def _count_noted(sample: Sample) -> Hits:
    return Hits(inside=np.ones(len(sample), dtype=np.bool_), hit=sample[_NOTED])


def disagreed(values: np.ndarray) -> Bools:
    """Return on which cases the readers' values (rows, readers) are not all the same.

    None stands for a value not given; a case with fewer than two values has no disagreement.
    """
    found = np.zeros(len(values), dtype=np.bool_)
    for row, given in enumerate(values):
        found[row] = len({value for value in given if value is not None}) > 1
    return found


def reader_gaps(cohort: Drawable, level: Bools, other: Bools, unanimous: Bools) -> TwoGaps | None:
    """Compare the gap on all cases and on those that every reader agrees on."""
    return two_gaps(
        (cohort.of(level), cohort.of(other)),
        (cohort.of(level & unanimous), cohort.of(other & unanimous)),
        cohort,
    )


def prevalence_gaps(
    metric: Metric, sample: Sample, level: Bools, other: Bools, plan: Plan
) -> TwoGaps | None:
    """Compare a gap as it is and with both groups weighted to their common prevalence.

    None for a quantity that does not depend on prevalence.
    """
    if not metric.prevalence_bound or not plan.design.represents_prevalence:
        return None
    both = level | other
    weight = sample.weight[both]
    common = float(np.sum(weight * sample.positive[both]) / np.sum(weight))
    if not 0 < common < 1:
        return None
    equal = replace(plan, design=Design(kind="standardised", weighted=False, prevalence=common))
    crude, weighed = drawable(metric, sample, plan), drawable(metric, sample, equal)
    return two_gaps(
        (crude.of(level), crude.of(other)),
        (weighed.of(level), weighed.of(other)),
        crude,
    )


def marker_evidence(
    cohort: Drawable,
    level: Bools,
    other: Bools,
    *,
    attribute: str,
    present: Bools,
    rates: tuple[Metric, Metric],
) -> Marker:
    """Return how decisions fare where a marker disagrees with the truth.

    `rates` are the shares of right decisions among positives and among negatives. Markers can be
    told from the truth only by patients on whom the two disagree.
    """
    sample, plan = cohort.sample, cohort.plan
    positive = sample.positive
    among_positives, among_negatives = (drawable(rate, sample, plan) for rate in rates)
    parts = [
        among_positives.of(positive & present),
        among_positives.of(positive & ~present),
        among_negatives.of(~positive & ~present),
        among_negatives.of(~positive & present),
    ]
    given = [one for one in parts if one is not None and np.isfinite(one.value)]
    concordance = None
    if len(given) == 4:
        shared = shared_draws(given, cohort.draws())
        concordance = shared.difference(
            lambda v: (v[..., 0] - v[..., 1] + v[..., 2] - v[..., 3]) / 2, plan.level
        )
    discordant = [positive & ~present, ~positive & present]
    levels = [Level("present", present), Level("absent", ~present)]
    return Marker(
        attribute=attribute,
        fewest_discordant=min(len(np.unique(sample.patient[rows])) for rows in discordant),
        concordance=concordance,
        gaps=adjust(cohort, level, other, attribute=attribute, levels=levels),
    )


def crossing(cohort: Drawable, asked: Crossed) -> list[Crossing]:
    """Compare a gap inside one level of a second attribute with the gap elsewhere."""
    inside = asked.level.rows
    gaps = two_gaps(
        (cohort.of(asked.first & inside), cohort.of(asked.second & inside)),
        (cohort.of(asked.first & ~inside), cohort.of(asked.second & ~inside)),
        cohort,
    )
    if gaps is None:
        return []
    return [Crossing(attribute=asked.attribute, level=asked.level.name, gaps=gaps)]
