from dataclasses import replace

import numpy as np
import pytest

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.adjusted import AdjustedGap
from proctor_workers.statistics.shared import Difference
from proctor_workers.subgroups.adjusted import Adjusted, TwoGaps, adjust, strata_of
from proctor_workers.subgroups.causes import (
    Cause,
    Crossing,
    Evidence,
    Finding,
    Marker,
    Verdict,
    candidate_causes,
)
from proctor_workers.subgroups.evidence import disagreed
from proctor_workers.subgroups.levels import Level, attribute_levels
from proctor_workers.subgroups.quantities import drawable
from proctor_workers.subgroups.sites import together
from proctor_workers.subgroups.threshold import moved_threshold

DESIGN = Design(kind="consecutive", weighted=False)
PLAN = Plan(design=DESIGN, resamples=300)


def near(value: float, half: float = 0.02) -> Difference:
    return Difference(estimate=value, lower=value - half, upper=value + half)


GAP = Evidence(
    level="F", other="M", quantity="sensitivity", gap=near(-0.2), shown=True, margin=0.05,
    patients=200, fewest_patients=20,
)  # fmt: skip


def told(evidence: Evidence, cause: Cause) -> Finding:
    return next(one for one in candidate_causes(evidence) if one.cause is cause)


def mixed(adjusted: float, comparable: float = 1.0) -> Adjusted:
    gap = AdjustedGap(
        crude=near(-0.2), adjusted=near(adjusted), explained=near(-0.2 - adjusted), strata=()
    )
    return Adjusted(attribute="scanner", gap=gap, comparable=comparable, reason="few")


@pytest.mark.parametrize(
    ("mix", "verdict", "words"),
    [
        (mixed(-0.2), Verdict.NOT_SUPPORTED, "not shown to be associated"),
        (mixed(-0.1), Verdict.CANDIDATE, "Part of the gap"),
        (mixed(0.0), Verdict.CANDIDATE, "inside the margin"),
        (mixed(0.1), Verdict.CANDIDATE, "Simpson"),
        (mixed(0.1, comparable=0.3), Verdict.NOT_SEPARABLE, "Cannot be separated"),
    ],
)
def test_mix_of_another_attribute(mix: Adjusted, verdict: Verdict, words: str) -> None:
    found = told(replace(GAP, mixes=(mix,)), Cause.MIX)
    assert found.verdict is verdict
    assert words in found.statement


def test_gap_that_a_mix_hides_is_named_though_none_is_shown() -> None:
    hidden = AdjustedGap(crude=near(0.0), adjusted=near(-0.2), explained=near(0.2), strata=())
    mix = Adjusted(attribute="scanner", gap=hidden, comparable=1.0)
    found = told(replace(GAP, gap=near(0.0), shown=False, mixes=(mix,)), Cause.MIX)
    assert "hides" in found.statement


def test_lower_curve_and_shift_are_both_named_where_both_are_shown() -> None:
    both = TwoGaps(first=near(-0.3), second=near(-0.15), change=near(-0.15))
    evidence = replace(GAP, gap=near(-0.3), threshold=both, area=near(-0.1))
    for cause in (Cause.WEAKER_SIGNAL, Cause.SHIFTED_SCORES):
        assert told(evidence, cause).verdict is Verdict.CANDIDATE


def test_too_wide_intervals_separate_nothing() -> None:
    wide = TwoGaps(first=near(-0.2), second=near(-0.1, 0.15), change=near(-0.1, 0.15))
    found = told(replace(GAP, threshold=wide), Cause.WEAKER_SIGNAL)
    assert found.verdict is Verdict.NOT_SEPARABLE


def test_device_without_scores_hides_where_on_the_curve_a_group_stands() -> None:
    assert told(GAP, Cause.SHIFTED_SCORES).verdict is Verdict.NOT_SEPARABLE


def test_quantity_without_two_classes_has_no_curve() -> None:
    findings = candidate_causes(replace(GAP, two_classes=False))
    assert [one.cause for one in findings] == [Cause.REFERENCE_NOISE]


def test_marker_that_never_disagrees_with_the_truth_tells_nothing() -> None:
    marker = Marker(attribute="stamp", fewest_discordant=9, concordance=near(0.3), gaps=None)
    found = told(replace(GAP, markers=(marker,)), Cause.SHORTCUT)
    assert found.verdict is Verdict.NOT_SEPARABLE
    enough = replace(GAP, markers=(replace(marker, fewest_discordant=10),))
    assert told(enough, Cause.SHORTCUT).verdict is Verdict.CANDIDATE


def test_gap_is_confined_to_an_intersection_only_if_neither_attribute_shows_one() -> None:
    alone = Crossing(
        attribute="age", level="65+",
        gaps=TwoGaps(first=near(-0.3), second=near(0.0), change=near(-0.3)),
    )  # fmt: skip
    wider = replace(alone, attribute="sex", gaps=replace(alone.gaps, second=near(-0.1)))
    evidence = replace(GAP, intersection=True, crossings=(alone, alone))
    assert told(evidence, Cause.INTERSECTION).verdict is Verdict.CANDIDATE
    found = told(replace(evidence, crossings=(alone, wider)), Cause.INTERSECTION)
    assert found.verdict is Verdict.NOT_SUPPORTED


def test_nothing_is_said_of_a_group_too_small() -> None:
    findings = candidate_causes(replace(GAP, patients=19, area=near(-0.3)))
    assert [one.cause for one in findings] == [Cause.TOO_FEW]


def test_no_statement_claims_a_cause() -> None:
    evidence = replace(GAP, mixes=(mixed(0.1), mixed(-0.1)), area=near(-0.1))
    text = " ".join(one.statement for one in candidate_causes(evidence))
    assert "caused by" not in text
    assert "bias" not in text


def test_reader_who_said_nothing_does_not_disagree() -> None:
    values = np.array([["1", "1", None], ["1", "0", None], [None, None, "1"]], dtype=object)
    assert disagreed(values).tolist() == [False, True, False]


def scored(seed: int, n: int = 800) -> tuple[Sample, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive, group = rng.random(n) < 0.5, rng.random(n) < 0.4
    score = rng.normal(size=n) + 1.5 * positive
    return _sample(positive, score), group


def _sample(positive: np.ndarray, score: np.ndarray) -> Sample:
    n = len(score)
    return Sample(
        patient=np.arange(n), weight=np.ones(n), stratum=np.zeros(n, dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score >= 0.75},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["sensitivity", "specificity"])
def test_stretching_one_groups_scores_moves_it_along_its_curve_and_no_further(name: str) -> None:
    sample, group = scored(3)
    plain = moved_threshold(name, sample, group, ~group, PLAN)
    score = np.where(group, 0.7 * sample.score - 0.3, sample.score)
    moved = moved_threshold(name, _sample(sample.positive, score), group, ~group, PLAN)
    assert moved.second.estimate == pytest.approx(plain.second.estimate, abs=1e-12)
    assert moved.change.beyond()


def test_only_rates_move_along_a_curve() -> None:
    sample, group = scored(4, n=40)
    with pytest.raises(ValueError, match="sensitivity and specificity"):
        moved_threshold("ppv", sample, group, ~group, PLAN)


@pytest.mark.parametrize("name", ["sensitivity", "auroc", "f1", "brier", "auprc"])
def test_any_quantity_is_adjusted_and_a_shuffled_attribute_explains_nothing(name: str) -> None:
    sample, group = scored(5)
    if name == "brier":
        columns = dict(sample.columns) | {"score": 1 / (1 + np.exp(-sample.score))}
        sample = replace(sample, columns=columns)
    site = np.arange(len(group)) % 3
    levels = [Level(str(one), site == one) for one in range(3)]
    cohort = drawable(METRICS[name], sample, PLAN)
    found = adjust(cohort, group, ~group, attribute="site", levels=levels)
    assert found.comparable == 1
    assert found.gap.explained.lower < 0 < found.gap.explained.upper
    value = METRICS[name].point(sample.take(group), DESIGN)
    other = METRICS[name].point(sample.take(~group), DESIGN)
    assert found.gap.crude.estimate == pytest.approx(value - other, abs=1e-12)


def test_rows_of_several_levels_are_a_stratum_of_their_own() -> None:
    levels = [
        Level("a", np.array([True, True, False, False])),
        Level("b", np.array([False, True, True, False])),
    ]
    found = {one.name: one.rows.tolist() for one in strata_of(levels)}
    assert found["a|b"] == [False, True, False, False]
    assert sum(np.array(rows).astype(int) for rows in found.values()).max() == 1


def test_numbers_without_bands_are_cut_into_fifths() -> None:
    values = np.array([str(value) for value in range(100)], dtype=object)
    levels = attribute_levels("age", [], {"age": values})
    assert [int(level.rows.sum()) for level in levels] == [20] * 5


def sites(count: int, *, perfect: bool = False) -> tuple[Sample, list[Level]]:
    sample, _ = scored(6)
    site = np.arange(len(sample)) % count
    if perfect:  # one site without an error
        call = np.where(site == 0, sample.positive, sample.call)
        sample = replace(sample, columns=dict(sample.columns) | {"call": call})
    return sample, [Level(f"site {one}", site == one) for one in range(count)]


@pytest.mark.parametrize("name", ["sensitivity", "auroc", "f1"])
def test_random_sites_have_a_mean_within_a_prediction(name: str) -> None:
    sample, levels = sites(8)
    found = together(METRICS[name], sample, levels, PLAN)
    (low, high), (least, most) = found.limits, found.prediction
    assert least < low < found.mean < high < most
    assert found.scale == "logit"


def test_site_without_an_error_still_counts() -> None:
    sample, levels = sites(6, perfect=True)
    found = together(METRICS["sensitivity"], sample, levels, PLAN)
    assert found.effects.sites == 6
    assert found.limits[1] < 1


def test_few_sites_are_not_pooled() -> None:
    sample, levels = sites(4)
    found = together(METRICS["sensitivity"], sample, levels, PLAN)
    assert found.mean is None
    assert "random effects need 5 sites" in str(found.reason)
