"""A cohort of masks scored case by case, over several processes where that pays."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import prod
from multiprocessing import get_context

import numpy as np

from proctor_workers.metrics.segmentation.masks import Labels
from proctor_workers.metrics.segmentation.runs import RunsError, decode_runs
from proctor_workers.metrics.segmentation.scores import Definitions, score_case
from proctor_workers.statistics.arrays import Floats, Ints

_WORTH_A_POOL = 3 * 10**9  # voxels: half a minute on one core; processes take seconds to start
Asked = tuple[str, Definitions]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMasks:
    """One case: both masks as runs (n, 2) of each structure, and what is asked of them.

    Structures may overlap; one without runs is empty.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    reference: Mapping[str, Ints]
    predicted: Mapping[str, Ints]
    structures: tuple[str, ...]
    asked: tuple[Asked, ...]

    def volume(self, runs: Mapping[str, Ints], structures: Sequence[str]) -> Labels:
        """Return the label volume of structures, numbered from 1.

        Raises:
            RunsError: two of them overlap.
        """
        named = {place + 1: runs[one] for place, one in enumerate(structures) if one in runs}
        return decode_runs(named, self.shape)


def score_masks(case: CaseMasks) -> Floats:
    """Return a case's values (structures, asked); NaN where the policy leaves one out.

    Raises:
        MaskError: runs or spacing are none.
    """
    try:
        return _score_together(case, case.structures)
    except RunsError:  # structures that overlap stand in no one volume
        return np.concatenate([_score_together(case, (one,)) for one in case.structures])


def _score_together(case: CaseMasks, structures: Sequence[str]) -> Floats:
    reference = case.volume(case.reference, structures)
    predicted = case.volume(case.predicted, structures)
    values = np.empty((len(structures), len(case.asked)))
    for definitions in dict.fromkeys(definitions for _, definitions in case.asked):
        found = score_case(
            reference,
            predicted,
            spacing=case.spacing,
            labels=range(1, len(structures) + 1),
            measures=[measure for measure, other in case.asked if other == definitions],
            definitions=definitions,
        )
        for place, (measure, other) in enumerate(case.asked):
            if other == definitions:
                values[:, place] = [one.values[measure] for one in found]
    return values


def score_cohort(cases: Sequence[CaseMasks], *, processes: int) -> list[Floats]:
    """Return each case's values in the order of the cases, whatever the number of processes."""
    voxels = sum(prod(case.shape) for case in cases)
    if processes < 2 or len(cases) < 2 or voxels < _WORTH_A_POOL:
        return [score_masks(case) for case in cases]
    return score_in_processes(cases, processes)


def score_in_processes(cases: Sequence[CaseMasks], processes: int) -> list[Floats]:
    """Return each case's values, scored by that many processes started anew."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(score_masks, cases))
