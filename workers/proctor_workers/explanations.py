"""What may lie behind a gap between groups: adjusted gaps and candidate causes as results.

The crude gap stays primary. Nothing here says "caused by": only what a gap is associated with.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Interval, Result, Role
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.readers import ARM
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import Ruled
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.shared import Difference
from proctor_workers.subgroups.adjusted import Adjusted
from proctor_workers.subgroups.causes import Evidence, candidate_causes
from proctor_workers.subgroups.evidence import Crossed, Gap, disagreed, gather
from proctor_workers.subgroups.levels import Factor, Level, attribute_levels

CANDIDATE_CAUSE = "candidate_cause"
_READERS = 2  # readers of a case below which nothing is known of their disagreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the study and the cohort hold that may bear on any gap, one entry a unit.

    `adjust` are the levels of every attribute to adjust for; `unanimous` is None without values
    by reader.
    """

    factors: tuple[Factor, ...]
    adjust: Mapping[str, tuple[Level, ...]]
    markers: Mapping[str, Bools]
    unanimous: Bools | None


def background(
    study: Study,
    cases: Cases,
    joined: AnalysisSet,
    analysis: AnalysisSet,
    factors: Sequence[Factor],
) -> Background:
    """Read markers, readers and the attributes to adjust for.

    Raises:
        InvalidInputError: the cohort lacks an attribute that the protocol names.
    """
    protocol = study.setting.protocol
    markers = {one["attribute"]: one["present"] for one in protocol.get("markers") or ()}
    wanted = {name for factor in factors for name in factor.adjust_for}
    if lacking := sorted(name for name in wanted | set(markers) if name not in analysis.attributes):
        raise InvalidInputError(
            f"The cohort has no attribute '{lacking[0]}' that the protocol names.",
            cure="Correct the protocol by an amendment, or add the attribute to the cohort.",
        )
    groups = protocol.get("subgroups") or ()
    return Background(
        factors=tuple(factors),
        adjust={
            name: attribute_levels(name, groups, analysis.attributes) for name in sorted(wanted)
        },
        markers={
            name: np.array(
                [present in str(value).split("|") for value in analysis.attributes[name]],
                dtype=np.bool_,
            )
            for name, present in sorted(markers.items())
        },
        unanimous=_unanimous(cases, joined, analysis),
    )


def _unanimous(cases: Cases, joined: AnalysisSet, analysis: AnalysisSet) -> Bools | None:
    """Return the units whose every case all readers answered alike; None with too few readers.

    Readers who read in the arms of a reader study are no readers of the reference standard.
    """
    readers = [
        name for name, kind in cases.raters().items() if kind == "reader" and ARM not in name
    ]
    if len(readers) < _READERS:
        return None
    said = np.array([_words(cases, name) for name in readers], dtype=object).T
    split = disagreed(said)
    if len(analysis) == len(joined):
        return ~split
    alike: Bools = np.bincount(joined.patient, weights=split, minlength=len(analysis)) == 0
    return alike


def _words(cases: Cases, name: str) -> list[str | None]:
    return [
        canonical_bytes(one[name]["outputs"]).decode() if name in one else None
        for one in cases.said()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrasted:
    """A contrast's result with the rows that it sets against each other."""

    result: Result
    level: Level
    other: Level


def explained(
    study: Study,
    analysis: AnalysisSet,
    ruled: Ruled,
    factor: Factor,
    endpoint: Endpoint,
    contrasted: Contrasted,
    known: Background,
) -> Iterator[Result]:
    """Return the adjusted gaps that the protocol asks for, and the causes weighed.

    Causes are weighed for tested factors only; a descriptive one has its adjusted gaps.
    """
    result = contrasted.result
    if result.estimate is None or (factor.family is None and not factor.adjust_for):
        return
    interval = result.interval
    gap = Gap(
        metric=endpoint.quantity,
        sample=_with_scores(analysis, ruled),
        plan=study.plan(endpoint, group=f"/{factor.name}"),
        level=contrasted.level,
        other=contrasted.other,
        difference=Difference(
            estimate=result.estimate,
            lower=None if interval is None else interval.lower,
            upper=None if interval is None else interval.upper,
        ),
        shown=result.conclusion is Conclusion.DIFFERENCE_SHOWN,
        margin=factor.margin or 0.0,
        others={name: _kept(known.adjust[name], ruled) for name in factor.adjust_for},
        crossed=tuple(_crossed(factor, contrasted, known, ruled)),
        intersection=factor.intersection,
        markers={name: rows[ruled.kept] for name, rows in known.markers.items()},
        unanimous=None if known.unanimous is None else known.unanimous[ruled.kept],
    )
    evidence = gather(gap)
    for mix in evidence.mixes:
        yield from _adjusted(endpoint, result, mix, study.resamples)
    if factor.family is not None:
        yield from _causes(result, evidence)


def _kept(levels: Sequence[Level], ruled: Ruled) -> list[Level]:
    return [Level(level.name, level.rows[ruled.kept]) for level in levels]


def _with_scores(analysis: AnalysisSet, ruled: Ruled) -> Sample:
    """Add the scores to a sample of decisions where the decisions follow them.

    A case without a score stands at the wrong end, as its decision counts as an error.
    """
    sample = ruled.sample
    columns = sample.columns
    score = analysis.columns.get("score")
    if "score" in columns or not {"positive", "call"} <= columns.keys() or score is None:
        return sample
    wrong = np.where(sample.positive, -np.inf, np.inf)
    given = np.where(np.isnan(score[ruled.kept]), wrong, score[ruled.kept])
    called, others = given[sample.call], given[~sample.call]
    follows = not len(called) or not len(others) or np.min(called) > np.max(others)
    return replace(sample, columns=dict(columns) | {"score": given}) if follows else sample


def _crossed(
    factor: Factor, contrasted: Contrasted, known: Background, ruled: Ruled
) -> Iterator[Crossed]:
    """Yield the gaps inside and outside of levels that the protocol crosses with this one."""
    plain = {one.name: one for one in known.factors if not one.intersection}
    if factor.intersection:
        parts = [plain[name] for name in factor.name.split("+") if name in plain]
        yield from _of_intersection(parts, contrasted, ruled)
        return
    partners = {
        name
        for one in known.factors
        if one.intersection and factor.name in one.name.split("+")
        for name in one.name.split("+")
    } - {factor.name}
    for name in sorted(partners & plain.keys()):
        for level in _kept(plain[name].levels, ruled):
            yield Crossed(
                attribute=name,
                level=level,
                first=contrasted.level.rows,
                second=contrasted.other.rows,
            )


def _of_intersection(
    parts: Sequence[Factor], contrasted: Contrasted, ruled: Ruled
) -> Iterator[Crossed]:
    """Yield, for a cell of two attributes, each attribute's gap inside the other's level."""
    if len(parts) != 2:
        return
    cells = [
        (one, two)
        for one in _kept(parts[0].levels, ruled)
        for two in _kept(parts[1].levels, ruled)
        if np.array_equal(one.rows & two.rows, contrasted.level.rows)
    ]
    if len(cells) != 1:
        return
    (one, two), everyone = cells[0], contrasted.level.rows | contrasted.other.rows
    yield Crossed(attribute=parts[1].name, level=two, first=one.rows, second=everyone & ~one.rows)
    yield Crossed(attribute=parts[0].name, level=one, first=two.rows, second=everyone & ~two.rows)


def _adjusted(endpoint: Endpoint, crude: Result, mix: Adjusted, resamples: int) -> Iterator[Result]:
    name = mix.attribute
    group = dict(crude.group or {}) | {"adjusted_for": name}
    flags = () if mix.reason is None else (mix.reason,)
    common: dict[str, Any] = {
        "quantity": crude.quantity,
        "role": Role.DESCRIPTIVE,
        "group": group,
        "n": crude.n,
        "patients": crude.patients,
        "n_positive": crude.n_positive,
    }
    if mix.gap is None:
        yield Result(
            **common,
            id=f"{crude.id}.adjusted-for-{name}",
            method="none",
            definition=f"{crude.definition} Here: within equal levels of {name}.",
            flags=flags,
        )
        return
    method = f"within strata, patient bootstrap, BCa, {resamples} resamples"
    extra: dict[str, Any] = {
        "crude": crude.id,
        "comparable": mix.comparable,
        "strata": len(mix.gap.strata),
        "standard_error": mix.standard_error,
    }
    for suffix, found, text in (
        ("adjusted-for", mix.gap.adjusted, f"the same within equal levels of {name}"),
        ("explained-by", mix.gap.explained, f"crude minus adjusted for {name}"),
    ):
        yield Result(
            **common,
            id=f"{crude.id}.{suffix}-{name}",
            method=method,
            definition=f"{crude.definition} Here: {text}; associated with it, not caused by it.",
            estimate=found.estimate if np.isfinite(found.estimate) else None,
            interval=_interval(found, endpoint, method),
            flags=flags + ((found.reason,) if found.reason else ()),
            extra=extra | endpoint.said,
        )


def _interval(found: Difference, endpoint: Endpoint, method: str) -> Interval | None:
    if found.lower is None or found.upper is None:
        return None
    return Interval(lower=found.lower, upper=found.upper, level=endpoint.level, method=method)


def _causes(crude: Result, evidence: Evidence) -> Iterator[Result]:
    for position, finding in enumerate(candidate_causes(evidence), start=1):
        yield Result(
            id=f"{crude.id}.cause.{position}",
            quantity=CANDIDATE_CAUSE,
            role=Role.DESCRIPTIVE,
            group=crude.group,
            n=crude.n,
            patients=crude.patients,
            n_positive=crude.n_positive,
            method="rules over differences with intervals, same draws of patients",
            definition="What the data say of a cause of the difference.",
            flags=(finding.statement,),
            extra={
                "crude": crude.id,
                "cause": str(finding.cause),
                "verdict": str(finding.verdict),
                "attribute": finding.attribute,
                "evidence": {
                    name: {"estimate": one.estimate, "lower": one.lower, "upper": one.upper}
                    for name, one in finding.evidence.items()
                    if np.isfinite(one.estimate)
                },
            },
        )
