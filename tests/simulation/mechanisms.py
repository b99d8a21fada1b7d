"""Cohorts with one planted cause each, its size known beforehand, and what is reported of them.

A phantom radiograph's score is a difference of two region sums, normal with a shift for diseased
cases; scanners scale it, markers and readers add to it. So scores are drawn directly.

    python -m tests.simulation.mechanisms --seeds 200     writes build/mechanisms.json
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from proctor_backend.domain.result import Conclusion
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats
from proctor_workers.statistics.shared import Difference
from proctor_workers.subgroups.causes import Cause, Finding, Verdict, candidate_causes
from proctor_workers.subgroups.contrast import conclude, contrast
from proctor_workers.subgroups.equality import equality_test
from proctor_workers.subgroups.evidence import Crossed, Gap, disagreed, gather
from proctor_workers.subgroups.levels import Level

SIGNAL, THRESHOLD, PREVALENCE = 1.8, 0.9, 0.4
MARGIN = 0.08
READERS, NOISE = 5, (0.3, 0.02)
RESAMPLES = 400
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A cohort, the gap to ask about, its true size, and the findings that must be made of it.

    `expected` and `forbidden` name (cause, verdict); a gap in `quantity` is to be shown or not.
    """

    sample: Sample
    quantity: str
    level: Level
    other: Level
    truth: float
    shown: bool
    expected: tuple[tuple[Cause, Verdict], ...] = ()
    forbidden: tuple[Cause, ...] = ()
    others: dict[str, list[Level]] = field(default_factory=dict)
    crossed: tuple[Crossed, ...] = ()
    intersection: bool = False
    markers: dict[str, Bools] = field(default_factory=dict)
    unanimous: Bools | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the product says of a planted cohort."""

    difference: Difference
    shown: bool
    findings: tuple[Finding, ...]

    def verdicts(self, cause: Cause) -> set[Verdict]:
        return {one.verdict for one in self.findings if one.cause is cause}


def cohort(positive: Bools, score: Floats, *, rows: int = 1) -> Sample:
    """Return a sample of patients with `rows` rows each, decided at the threshold."""
    n = len(positive)
    return Sample(
        patient=np.arange(n) // rows,
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score >= THRESHOLD},
    )


def levels(name: str, other: str, rows: Bools) -> list[Level]:
    return [Level(name, rows), Level(other, ~rows)]


def sensitivity(signal: float, *, gain: float = 1.0, offset: float = 0.0) -> float:
    return float(ndtr(signal - (THRESHOLD - offset) / gain))


def women(rng: Rng, n: int, share: float = 0.5) -> Bools:
    return rng.random(n) < share


def nothing(rng: Rng, n: int) -> Planted:
    """No difference at all; two rows a patient, correlated."""
    patients = n // 2
    group = np.repeat(women(rng, patients), 2)
    positive = np.repeat(rng.random(patients) < PREVALENCE, 2)
    strain = np.repeat(rng.normal(size=patients), 2)
    noise = np.sqrt(0.5) * (strain + rng.normal(size=2 * patients))
    site = np.repeat(rng.random(patients) < np.where(group[::2], 0.7, 0.3), 2)
    return Planted(
        sample=cohort(positive, noise + SIGNAL * positive, rows=2),
        quantity="sensitivity",
        level=Level("F", group),
        other=Level("M", ~group),
        truth=0.0,
        shown=False,
        forbidden=tuple(Cause),
        others={"site": levels("A", "B", site)},
    )


def weaker_signal(rng: Rng, n: int) -> Planted:
    """The finding stands out less in one group."""
    group, positive = women(rng, n), rng.random(n) < PREVALENCE
    signal = np.where(group, 1.0, SIGNAL)
    scanner = rng.random(n) < 0.5
    return Planted(
        sample=cohort(positive, rng.normal(size=n) + signal * positive),
        quantity="sensitivity",
        level=Level("F", group),
        other=Level("M", ~group),
        truth=sensitivity(1.0) - sensitivity(SIGNAL),
        shown=True,
        expected=((Cause.WEAKER_SIGNAL, Verdict.CANDIDATE),),
        forbidden=(Cause.SHIFTED_SCORES, Cause.MIX, Cause.PREVALENCE, Cause.INTERSECTION),
        others={"scanner": levels("one", "two", scanner)},
    )


def gain_and_offset(rng: Rng, n: int) -> Planted:
    """One scanner's gain and offset: the same area, another point of the curve."""
    gain, offset = 0.8, -0.25
    scanner, positive = women(rng, n), rng.random(n) < PREVALENCE
    score = rng.normal(size=n) + SIGNAL * positive
    score = np.where(scanner, gain * score + offset, score)
    return Planted(
        sample=cohort(positive, score),
        quantity="sensitivity",
        level=Level("B", scanner),
        other=Level("A", ~scanner),
        truth=sensitivity(SIGNAL, gain=gain, offset=offset) - sensitivity(SIGNAL),
        shown=True,
        expected=((Cause.SHIFTED_SCORES, Verdict.CANDIDATE),),
        forbidden=(Cause.WEAKER_SIGNAL, Cause.MIX),
        others={"sex": levels("F", "M", rng.random(n) < 0.5)},
    )


def _marked(rng: Rng, n: int, *, always: bool) -> Planted:
    site, positive = women(rng, n), rng.random(n) < PREVALENCE
    chance = np.where(positive, np.where(site, 0.1, 0.9), 0.1)
    marker = positive.copy() if always else rng.random(n) < chance
    shift = np.where(marker, 0.8, -0.4) if not always else np.where(site, 0.0, 0.8)
    with_mark, without = sensitivity(SIGNAL + 0.8), sensitivity(SIGNAL - 0.4)
    truth = 0.8 * (without - with_mark)
    if always:
        truth = sensitivity(SIGNAL) - with_mark
    found = (Cause.SHORTCUT, Verdict.NOT_SEPARABLE if always else Verdict.CANDIDATE)
    return Planted(
        sample=cohort(positive, rng.normal(size=n) + SIGNAL * positive + shift),
        quantity="sensitivity",
        level=Level("B", site),
        other=Level("A", ~site),
        truth=truth,
        shown=True,
        expected=(found,),
        forbidden=(Cause.SHORTCUT,) if always else (),
        markers={"marker": marker},
    )


def shortcut(rng: Rng, n: int) -> Planted:
    """A site's marker raises the score; it goes with the disease at site A only."""
    return _marked(rng, n, always=False)


def shortcut_without_discordant_cases(rng: Rng, n: int) -> Planted:
    """The marker always goes with the disease: nothing can be told of it."""
    return _marked(rng, n, always=True)


def _read(rng: Rng, n: int, *, known: bool) -> Planted:
    """Five readers vote; in one group they err in three cases of ten."""
    group, diseased = women(rng, 2 * n), rng.random(2 * n) < PREVALENCE
    error = np.where(group, NOISE[0], NOISE[1])
    reader = diseased[:, None] ^ (rng.random((2 * n, READERS)) < error[:, None])
    positive = 2 * reader.sum(axis=1) > READERS
    values = np.where(reader, "1", "0").astype(object)
    verdict = Verdict.CANDIDATE if known else Verdict.NOT_SEPARABLE
    return Planted(
        sample=cohort(positive, rng.normal(size=2 * n) + SIGNAL * diseased),
        quantity="sensitivity",
        level=Level("F", group),
        other=Level("M", ~group),
        truth=_voted(NOISE[0]) - _voted(NOISE[1]),
        shown=True,
        expected=((Cause.REFERENCE_NOISE, verdict),),
        forbidden=(Cause.WEAKER_SIGNAL,) if known else (Cause.REFERENCE_NOISE,),
        unanimous=~disagreed(values) if known else None,
    )


def _voted(error: float) -> float:
    """Sensitivity against the vote of readers who each err so often."""
    wrong = float(binom.sf(READERS // 2, READERS, error))
    right = PREVALENCE * (1 - wrong)
    share = right / (right + (1 - PREVALENCE) * wrong)
    return share * sensitivity(SIGNAL) + (1 - share) * float(ndtr(-THRESHOLD))


def reference_noise(rng: Rng, n: int) -> Planted:
    """Noise in one group's reference standard, with every reader's value."""
    return _read(rng, n, known=True)


def reference_noise_without_readers(rng: Rng, n: int) -> Planted:
    """The same, but only the vote is known."""
    return _read(rng, n, known=False)


def prevalence_only(rng: Rng, n: int) -> Planted:
    """The disease is rarer in one group; decisions are as good."""
    group = women(rng, n)
    positive = rng.random(n) < np.where(group, 0.2, 0.5)
    return Planted(
        sample=cohort(positive, rng.normal(size=n) + SIGNAL * positive),
        quantity="sensitivity",
        level=Level("F", group),
        other=Level("M", ~group),
        truth=0.0,
        shown=False,
        expected=((Cause.PREVALENCE, Verdict.NO_GAP),),
        forbidden=tuple(Cause),
    )


def predictive_value_by_prevalence(rng: Rng, n: int) -> Planted:
    """The same, asked of the positive predictive value."""
    planted = prevalence_only(rng, n)
    rate, false = sensitivity(SIGNAL), float(ndtr(-THRESHOLD))
    values = [part * rate / (part * rate + (1 - part) * false) for part in (0.2, 0.5)]
    return Planted(
        sample=planted.sample,
        quantity="ppv",
        level=planted.level,
        other=planted.other,
        truth=values[0] - values[1],
        shown=True,
        expected=((Cause.PREVALENCE, Verdict.CANDIDATE),),
    )


def simpson(rng: Rng, n: int) -> Planted:
    """Worse on either scanner, better overall: one group is mostly on the good one."""
    group, positive = women(rng, n), rng.random(n) < PREVALENCE
    good = rng.random(n) < np.where(group, 0.9, 0.1)
    rate = np.where(good, np.where(group, 0.80, 0.95), np.where(group, 0.40, 0.55))
    score = rng.normal(size=n) + positive * (THRESHOLD + ndtri(rate))
    overall = [0.9 * 0.80 + 0.1 * 0.40, 0.1 * 0.95 + 0.9 * 0.55]
    return Planted(
        sample=cohort(positive, score),
        quantity="sensitivity",
        level=Level("F", group),
        other=Level("M", ~group),
        truth=overall[0] - overall[1],
        shown=True,
        expected=((Cause.MIX, Verdict.CANDIDATE),),
        others={"scanner": levels("good", "poor", good)},
    )


def intersection_only(rng: Rng, n: int) -> Planted:
    """Only old women are worse off."""
    n *= 3  # two gaps have to be told from 0 and two others from the margin
    group, old, positive = women(rng, n), women(rng, n), rng.random(n) < PREVALENCE
    cell = group & old
    signal = np.where(cell, 0.8, SIGNAL)
    return Planted(
        sample=cohort(positive, rng.normal(size=n) + signal * positive),
        quantity="sensitivity",
        level=Level("F+65+", cell),
        other=Level("rest", ~cell),
        truth=sensitivity(0.8) - sensitivity(SIGNAL),
        shown=True,
        expected=((Cause.INTERSECTION, Verdict.CANDIDATE),),
        crossed=(
            Crossed(attribute="age", level=Level("65+", old), first=group, second=~group),
            Crossed(attribute="sex", level=Level("F", group), first=old, second=~old),
        ),
        intersection=True,
    )


def tiny_group(rng: Rng, n: int) -> Planted:
    """Eight patients of a group, however badly off, are shown, not tested, and not explained."""
    group = np.arange(n) < 8
    positive = np.where(group, np.arange(n) < 4, rng.random(n) < PREVALENCE)
    signal = np.where(group, 0.0, SIGNAL)
    return Planted(
        sample=cohort(positive, rng.normal(size=n) + signal * positive),
        quantity="sensitivity",
        level=Level("X", group),
        other=Level("rest", ~group),
        truth=sensitivity(0.0) - sensitivity(SIGNAL),
        shown=False,
        expected=((Cause.TOO_FEW, Verdict.NOT_SEPARABLE),),
        forbidden=tuple(Cause),
    )


MECHANISMS: dict[str, Callable[[Rng, int], Planted]] = {
    mechanism.__name__: mechanism
    for mechanism in (
        nothing,
        weaker_signal,
        gain_and_offset,
        shortcut,
        shortcut_without_discordant_cases,
        reference_noise,
        reference_noise_without_readers,
        prevalence_only,
        predictive_value_by_prevalence,
        simpson,
        intersection_only,
        tiny_group,
    )
}


def tell(planted: Planted, *, seed: int = 1) -> Told:
    """Let the product compare the two groups and weigh the causes."""
    metric, sample = METRICS[planted.quantity], planted.sample
    design = Design(kind="consecutive", weighted=False)
    plan = Plan(design=design, resamples=RESAMPLES, seed=seed)
    rows = (planted.level.rows, planted.other.rows)
    pair = tuple(metric.estimate(sample.take(one), plan) for one in rows)
    found = contrast(metric, sample, *rows, pair=(pair[0], pair[1]), plan=plan)
    test = equality_test(
        metric, sample, [(planted.level.name, rows[0]), (planted.other.name, rows[1])], plan
    )
    rejected = test.p_value is not None and test.p_value <= 0.05
    shown = conclude(found, rejected=rejected, margin=MARGIN) is Conclusion.DIFFERENCE_SHOWN
    difference = Difference(
        estimate=np.nan if found.difference is None else found.difference,
        lower=found.lower,
        upper=found.upper,
    )
    gap = Gap(
        metric=metric,
        sample=sample,
        plan=plan,
        level=planted.level,
        other=planted.other,
        difference=difference,
        shown=shown,
        margin=MARGIN,
        others=planted.others,
        crossed=planted.crossed,
        intersection=planted.intersection,
        markers=planted.markers,
        unanimous=planted.unanimous,
    )
    return Told(difference=difference, shown=shown, findings=candidate_causes(gather(gap)))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Over many seeds: how often what should be said is said, and how near the sizes are."""

    mechanism: str
    seeds: int
    as_planted: float  # shown where there is a gap, not shown where there is none
    covered: float  # interval holds the true size
    error: float  # mean estimate less truth
    expected: float  # every expected finding made
    forbidden: float  # a forbidden cause named as a candidate


def tally(name: str, *, seeds: int, n: int) -> Tally:
    """Draw a mechanism's cohort many times and count what is said of it."""
    rows = []
    for seed in range(seeds):
        planted = MECHANISMS[name](np.random.default_rng([seed, 20261121]), n)
        told = tell(planted)
        gap = told.difference
        covered = gap.lower is not None and gap.lower <= planted.truth <= (gap.upper or 0.0)
        said = all(verdict in told.verdicts(cause) for cause, verdict in planted.expected)
        wrong = any(Verdict.CANDIDATE in told.verdicts(cause) for cause in planted.forbidden)
        rows.append(
            (told.shown is planted.shown, covered, gap.estimate - planted.truth, said, wrong)
        )
    means = np.array(rows, dtype=np.float64).mean(axis=0)
    return Tally(
        mechanism=name,
        seeds=seeds,
        as_planted=float(means[0]),
        covered=float(means[1]),
        error=float(means[2]),
        expected=float(means[3]),
        forbidden=float(means[4]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("build/mechanisms.json"))
    chosen = parser.parse_args()
    found = []
    for name in MECHANISMS:
        one = tally(name, seeds=chosen.seeds, n=chosen.cases)
        found.append(vars(one))
        print(json.dumps(vars(one)))  # noqa: T201 - a command prints
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
