"""A reader study: each reader's figure of merit in each modality, and what follows from them."""

from collections.abc import Callable
from dataclasses import dataclass

from proctor_workers.statistics.arrays import Bools, Ints
from proctor_workers.statistics.obuchowski_rockette import (
    READERS_AND_CASES,
    Comparison,
    Components,
    Contrast,
    compare,
    components,
    single_modality,
)
from proctor_workers.statistics.reader_covariance import (
    Figures,
    Reading,
    auc_delong,
    auc_jackknife,
    auc_unbiased,
    share_jackknife,
)

COVARIANCES: dict[str, Callable[[Reading], Figures]] = {
    "jackknife": auc_jackknife,
    "delong": auc_delong,
    "unbiased": auc_unbiased,
}


def auc_figures(reading: Reading, covariance: str = "jackknife") -> Figures:
    """Return every reader's AUC in every modality with the covariance of COVARIANCES.

    Where a patient has several rows, the jackknife leaves out patients and DeLong's covariance is
    Obuchowski's; the unbiased one is refused.
    """
    return COVARIANCES[covariance](reading)


def sensitivity_figures(called: Bools, positive: Bools, patient: Ints) -> Figures:
    """Return every reader's sensitivity from calls (modalities, readers, rows)."""
    return share_jackknife(called, positive, patient)


def specificity_figures(called: Bools, positive: Bools, patient: Ints) -> Figures:
    """Return every reader's specificity from calls (modalities, readers, rows)."""
    return share_jackknife(~called, ~positive, patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderStudy:
    """What a reader study gives: the OR components, each modality's mean, and the comparison."""

    parts: Components
    means: tuple[Contrast, ...]
    comparison: Comparison | None


def analyse(
    figures: Figures, inference: str = READERS_AND_CASES, level: float = 0.95
) -> ReaderStudy:
    """Analyse any figure of merit by Obuchowski and Rockette's model (R04).

    Takes wAFROC or any other figure through `reader_covariance.jackknifed`. With one modality
    there is no comparison.
    """
    parts = components(figures)
    return ReaderStudy(
        parts=parts,
        means=tuple(
            single_modality(parts, modality, inference, level)
            for modality in range(parts.modalities)
        ),
        comparison=compare(parts, inference, level) if parts.modalities > 1 else None,
    )
