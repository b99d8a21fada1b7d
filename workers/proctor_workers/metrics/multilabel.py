"""Quantities of several labels a case: formulas of patient sums over labels and whole cases."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics.areas import MeanArea, PooledArea
from proctor_workers.metrics.metric import FormulaOfSums, Hits, Metric, divide
from proctor_workers.metrics.multiclass import CategoryShare, shifted
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats


def _label_sums(sample: Sample) -> Floats:
    return label_columns(sample["truth"], sample["called"], sample.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFormula(FormulaOfSums):
    """A formula of label sums, (..., 4 labels + 2) -> (...).

    The sums are true positives, false negatives, false positives and true negatives of each
    label, then the rows right in all labels, then the rows.
    """

    columns: Callable[[Sample], Floats] = _label_sums
    family: str = "labels"
    needs: str = "labels"
    prevalence_bound: bool = True
    every_label: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the sampling shifts, and a label without a case where it counts."""
        if not len(sample):
            return "not estimable: no cases"
        missing = self.every_label and not sample["truth"].any(axis=0).all()
        return shifted(self, design) or ("not estimable: a label has no case" if missing else None)


def label_columns(truth: Bools, called: Bools, weight: Floats) -> Floats:
    """Return what each row adds to the sums, (rows, 4 labels + 2), from (rows, labels).

    Raises:
        ValueError: the shapes differ, or there is no label.
    """
    if truth.shape != called.shape or truth.ndim != 2 or not truth.shape[1]:
        raise ValueError("labels need a reference and a call for each row and label")
    cells = (truth & called, truth & ~called, ~truth & called, ~truth & ~called)
    whole = ((truth == called).all(axis=1), np.ones(len(truth), dtype=np.bool_))
    return np.column_stack([*cells, *whole]) * weight[:, None]


def _cells(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    labels = (sums.shape[-1] - 2) // 4
    tp, fn, fp, tn = (sums[..., part * labels : (part + 1) * labels] for part in range(4))
    return tp, fn, fp, tn


def _f1(sums: Floats) -> Floats:
    tp, fn, fp, _ = _cells(sums)
    return divide(2 * tp, 2 * tp + fn + fp)


def macro_f1(sums: Floats) -> Floats:
    """Unweighted mean of the labels' F1; NaN where a label has no case and no call."""
    return np.asarray(_f1(sums).mean(axis=-1))


def micro_f1(sums: Floats) -> Floats:
    """F1 of all decisions on all labels together."""
    tp, fn, fp, _ = (cell.sum(axis=-1) for cell in _cells(sums))
    return divide(2 * tp, 2 * tp + fn + fp)


def micro_recall(sums: Floats) -> Floats:
    """Share of all present labels that are called."""
    tp, fn, _, _ = (cell.sum(axis=-1) for cell in _cells(sums))
    return divide(tp, tp + fn)


def micro_precision(sums: Floats) -> Floats:
    """Share of all called labels that are present."""
    tp, _, fp, _ = (cell.sum(axis=-1) for cell in _cells(sums))
    return divide(tp, tp + fp)


def macro_recall(sums: Floats) -> Floats:
    """Unweighted mean of the labels' recalls; NaN where a label has no case."""
    tp, fn, _, _ = _cells(sums)
    return np.asarray(divide(tp, tp + fn).mean(axis=-1))


def macro_precision(sums: Floats) -> Floats:
    """Unweighted mean of the labels' precisions; a label never called counts 0 if it has cases."""
    tp, fn, fp, _ = _cells(sums)
    never = (tp + fp == 0) & (fn > 0)
    return np.asarray(np.where(never, 0.0, divide(tp, tp + fp)).mean(axis=-1))


def hamming_loss(sums: Floats) -> Floats:
    """Share of wrong decisions among all decisions on all labels."""
    _, fn, fp, _ = (cell.sum(axis=-1) for cell in _cells(sums))
    labels = (sums.shape[-1] - 2) // 4
    return divide(fn + fp, sums[..., -1] * labels)


def _all_right(sample: Sample) -> Hits:
    hit = (sample["truth"] == sample["called"]).all(axis=1)
    return Hits(inside=np.ones(len(sample), dtype=np.bool_), hit=hit)


METRICS: dict[str, Metric] = {
    one.name: one
    for one in (
        LabelFormula(name="label_macro_f1", formula=macro_f1),
        LabelFormula(name="label_micro_f1", formula=micro_f1),
        LabelFormula(
            name="label_macro_recall",
            formula=macro_recall,
            prevalence_bound=False,
            every_label=True,
        ),
        LabelFormula(name="label_micro_recall", formula=micro_recall),
        LabelFormula(name="label_macro_precision", formula=macro_precision),
        LabelFormula(name="label_micro_precision", formula=micro_precision),
        LabelFormula(name="hamming_loss", formula=hamming_loss),
        CategoryShare(name="subset_accuracy", hits=_all_right, needs="labels"),
        MeanArea(name="label_macro_auroc"),
        PooledArea(),
    )
}
