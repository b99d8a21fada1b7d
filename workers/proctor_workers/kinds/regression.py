"""Regression: one measured value a case for each of the manifest's quantities."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK, Answer, Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.base import (
    WORST,
    Columns,
    Described,
    Kind,
    Setting,
    View,
)
from proctor_workers.kinds.regression_figures import bland_altman
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.regression_quantities import MAKERS, allowance_of
from proctor_workers.statistics.arrays import Floats, Ints

_SHOWN = ("mean_difference", "loa_lower", "loa_upper", "mae", "rmse")
_WORST_SHARE = 0.05  # of the cases, where no allowable difference says which are wrong


class Regression(Kind):
    """Columns, for each quantity q: `value:q`, `reference:q`, `lower:q`, `upper:q`.

    NaN for what the device did not emit; every case has a reference for every quantity.
    """

    name = "regression"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of measured values."""
        if name not in MAKERS:
            raise InvalidInputError(
                f"The task {self.name} has no quantity '{name}'.",
                cure="Use one of: " + ", ".join(sorted(MAKERS)) + ".",
            )
        try:
            return MAKERS[name](name, parameters)
        except ValueError as error:
            raise InvalidInputError(
                f"{name} cannot be taken so: {error}.", cure="Correct its parameters."
            ) from error

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read values, emitted intervals and reference values."""
        targets = setting.targets
        columns: dict[str, Any] = {}
        for target in targets:
            for name in ("value", "lower", "upper", "reference"):
                columns[f"{name}:{target}"] = np.full(len(cases), np.nan)
        for row, parts in enumerate(answers):
            for part in parts:
                _put(columns, part, row)
        for row, parts in enumerate(cases.truth()):
            for target, value in _reference(parts, targets).items():
                columns[f"reference:{target}"][row] = value
        for target in targets:
            if np.isnan(columns[f"reference:{target}"]).any():
                raise DataError(
                    f"A case has no reference value of '{target}'.",
                    cure="Give every verified case a number for each quantity of the manifest.",
                )
        return columns

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return value and reference; the worst case is a value outside what is allowed."""
        target = target_of(setting, endpoint)
        reference = analysis[f"reference:{target}"]
        if endpoint.quantity.needs == "interval":
            lower, upper = analysis[f"lower:{target}"], analysis[f"upper:{target}"]
            return View(
                columns={"lower": lower, "upper": upper, "reference": reference},
                lacking=np.isnan(lower),
                fills={
                    WORST: {
                        "lower": np.full(len(lower), np.inf),
                        "upper": np.full(len(upper), -np.inf),
                    }
                },
            )
        value = analysis[f"value:{target}"]
        columns: dict[str, Any] = {"value": value, "reference": reference}
        if "subject" in endpoint.parameters:
            columns["subject"] = _subjects(analysis, str(endpoint.parameters["subject"]))
        fills: dict[str, Columns] = {}
        if endpoint.metric == "within_allowance":
            fills = {WORST: {"value": np.full(len(value), np.inf)}}
        return View(columns=columns, lacking=np.isnan(value), fills=fills)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show bias, limits of agreement and errors of every quantity."""
        for target in setting.targets:
            for metric in _SHOWN:
                yield Described(metric=metric, target=target)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return a Bland-Altman plot of every quantity."""
        del results
        found = [bland_altman(study, analysis, target) for target in study.setting.targets]
        return [figure for figure in found if figure is not None]

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the cases outside the first allowable difference, else the largest differences."""
        allowed = next((one for one in study.endpoints if one.metric == "within_allowance"), None)
        target = target_of(study.setting, allowed) if allowed else study.setting.targets[0]
        value, reference = analysis[f"value:{target}"], analysis[f"reference:{target}"]
        answered = (analysis.status == OK) & np.isfinite(value)
        size = np.where(answered, np.abs(value - reference), -1.0)
        if allowed is not None:
            wrong = answered & ~allowance_of(allowed.parameters).inside(value, reference)
        else:
            worst = max(1, round(_WORST_SHARE * int(answered.sum()))) if answered.any() else 0
            edge = np.sort(size)[-worst] if worst else np.inf
            wrong = answered & (size >= edge)
        order = np.flatnonzero(wrong)[np.argsort(-size[wrong], kind="stable")]
        return [
            {
                "case": analysis.case[row],
                "outcome": "large_error",
                "score": float(value[row]),
                "reference": f"{reference[row]:g}",
                "target": target,
            }
            for row in order.tolist()
        ]


def _put(columns: Mapping[str, Floats], part: Answer, row: int) -> None:
    """Write one answer's part into its columns."""
    if part.output == "value" and part.value is not None:
        columns[f"value:{part.unit}"][row] = part.value
    elif part.output == "interval" and part.location is not None:
        columns[f"lower:{part.unit}"][row], columns[f"upper:{part.unit}"][row] = part.location


def _reference(parts: Sequence[Answer], targets: Sequence[str]) -> dict[str, float]:
    """Return a case's reference values by quantity; a plain value is that of the only one.

    Raises:
        DataError: a value is no finite number, or stands for none of the quantities.
    """
    found = {}
    for part in parts:
        if part.output == "category" and len(targets) == 1:
            found[targets[0]] = _number(part.category)
        elif part.output == "value" and part.unit in targets and part.value is not None:
            found[str(part.unit)] = _number(part.value)
    return found


def _number(text: object) -> float:
    try:
        value = float(str(text))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(
            "A reference value is not a finite number.",
            cure="Write numbers with a decimal point and without a unit.",
        )
    return value


def target_of(setting: Setting, endpoint: Endpoint) -> str:
    """Return the quantity that an endpoint is taken for.

    Raises:
        InvalidInputError: it names none of the manifest's.
    """
    target = endpoint.target or (setting.targets[0] if len(setting.targets) == 1 else None)
    if target not in setting.targets:
        raise InvalidInputError(
            f"Endpoint '{endpoint.id}' names no quantity of the manifest.",
            cure="Use one of: " + ", ".join(setting.targets) + ".",
        )
    return str(target)


def _subjects(analysis: AnalysisSet, attribute: str) -> Ints:
    """Return what was measured repeatedly as codes: patients, or parts of them by an attribute.

    A case without the attribute is a subject of its own.
    """
    if attribute == "patient":
        return analysis.patient
    if attribute not in analysis.attributes:
        raise InvalidInputError(
            f"The cohort has no attribute '{attribute}'.",
            cure="Name the attribute that repeats of one measurement share, or patient.",
        )
    values = analysis.attributes[attribute]
    names = np.array(
        [
            f"{patient}/{row if value is None else value}/{value is None}"
            for row, (patient, value) in enumerate(
                zip(analysis.patient.tolist(), values.tolist(), strict=True)
            )
        ]
    )
    _, code = np.unique(names, return_inverse=True)
    subjects: Ints = code.astype(np.int64)
    return subjects
