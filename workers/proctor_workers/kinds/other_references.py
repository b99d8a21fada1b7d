"""The declared endpoints against each reader, the majority and the unanimous instead."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from proctor_backend.domain.result import Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Study, as_result
from proctor_workers.kinds.readers import ARM, PREFIX
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Bools, Ints
from proctor_workers.statistics.categories import NONE

_OF_READERS = ("reader_agreement", "reader_arm_gain")


def other_references(study: Study, analysis: AnalysisSet, column: str) -> list[Result]:
    """Estimate every declared endpoint with other readings as the reference standard.

    `column` holds the reference: "positive", or "truth" as codes. Cases without such a reading
    are left out; nothing is changed for discordant cases only, and no criterion is judged.
    """
    found = []
    for name, codes in _readings(analysis):
        rows = codes != NONE
        if not rows.any():
            continue
        read = codes[rows] == 1 if column == "positive" else codes[rows]
        other = _against(analysis, rows, {column: read})
        for endpoint in study.endpoints:
            of_readers = endpoint.metric in _OF_READERS or endpoint.metric.endswith("_readers")
            if endpoint.role is Role.DESCRIPTIVE or of_readers:
                continue
            sample = apply_rule(study, other, endpoint, endpoint.rule).sample
            estimate = endpoint.quantity.estimate(sample, study.plan(endpoint))
            result = as_result(
                endpoint,
                estimate,
                id_=f"{endpoint.result_id}@reference.{name}",
                role=Role.SENSITIVITY,
            )
            found.append(replace(result, extra={**result.extra, "reference_standard": name}))
    return found


def _readings(analysis: AnalysisSet) -> Iterator[tuple[str, Ints]]:
    """Yield (name, code per case or NONE): each reader, the unanimous of two, the majority of 3."""
    names = sorted(name for name in analysis.columns if name.startswith(PREFIX) and ARM not in name)
    for name in names:
        yield name.removeprefix(PREFIX), analysis[name]
    if len(names) < 2:
        return
    given = np.column_stack([analysis[name] for name in names])
    yield "unanimous", _agreed(given, unanimous=True)
    if len(names) > 2:
        yield "majority", _agreed(given, unanimous=False)


def _agreed(given: Ints, *, unanimous: bool) -> Ints:
    """Return the category of all, or of more than half, of those who read; at least two."""
    counts = np.stack([(given == code).sum(axis=1) for code in range(int(given.max()) + 1)], axis=1)
    read = counts.sum(axis=1)
    most = counts.max(axis=1)
    enough = most == read if unanimous else 2 * most > read
    agreed: Ints = np.where(enough & (read >= 2), counts.argmax(axis=1), NONE)
    return agreed


def _against(
    analysis: AnalysisSet, rows: Bools, reference: Mapping[str, Bools | Ints]
) -> AnalysisSet:
    """Return the analysis set of some cases with another reference standard."""
    columns = {name: column[rows] for name, column in analysis.columns.items()}
    return replace(
        analysis,
        case=analysis.case[rows],
        patient_name=analysis.patient_name[rows],
        patient=analysis.patient[rows],
        status=analysis.status[rows],
        columns=columns | dict(reference),
        weight=analysis.weight[rows],
        stratum=analysis.stratum[rows],
        attributes={name: values[rows] for name, values in analysis.attributes.items()},
    )
