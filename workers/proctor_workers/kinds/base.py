"""What a kind of task decides: how outputs are read, and what each quantity is made from.

A kind turns what raters said about cases into columns with one entry a case, compares them with the
reference standard once, and gives for every endpoint the columns it needs. Estimation, missing
outputs, subgroups, multiplicity and reporting are the same for all kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from proctor_backend.domain.result import Figure, Result
    from proctor_workers.analysis_set import AnalysisSet
    from proctor_workers.answers import Answers, Cases
    from proctor_workers.endpoints import Endpoint, Study
    from proctor_workers.metrics.metric import Metric
    from proctor_workers.metrics.sample import Column, Sample
    from proctor_workers.statistics.arrays import Bools, Ints

Columns = Mapping[str, "Column"]
WORST, BEST, POSITIVE, NEGATIVE = "worst", "best", "positive", "negative"


@dataclass(frozen=True, slots=True)
class Setting:
    """The protocol and the manifest that a measurement is made under."""

    protocol: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def targets(self) -> tuple[str, ...]:
        """The classes, labels, structures, landmarks or quantities that are answered for."""
        return tuple(self.manifest["task"].get("targets") or ())

    @property
    def operating_points(self) -> tuple[str, ...]:
        """The ids of the manifest's decision rules."""
        return tuple(point["id"] for point in self.manifest.get("operating_points") or ())

    def operating_point(self, id_: str | None) -> Mapping[str, Any]:
        """Return one decision rule of the manifest."""
        for point in self.manifest.get("operating_points") or ():
            if point["id"] == id_:
                found: Mapping[str, Any] = point
                return found
        raise InvalidInputError(
            f"The manifest declares no operating point '{id_}'.",
            cure="Name one of the manifest's operating points in the endpoint.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One endpoint's columns over the whole analysis set.

    `lacking`: answered "ok" without the output that this quantity needs; counts as failed. `fills`
    says for each treatment of a missing output ("worst"; "best" for a comparator's; for decisions
    "positive" and "negative") what stands in each column instead, one entry a case.
    """

    columns: Columns
    lacking: Bools
    fills: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A quantity that every report of a kind shows although the protocol does not name it."""

    metric: str
    operating_point: str | None = None
    target: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Kind(ABC):
    """One kind of task, such as binary classification."""

    name: str

    @abstractmethod
    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity with its parameters; raises `InvalidInputError` for one it lacks."""

    @abstractmethod
    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read answers and reference standard into columns, one entry a case, in the cases' order.

        Heavy comparisons are made here, once. "positive" (bool) is the case's reference status, for
        kinds that have one.

        Raises:
            DataError: a reference standard is not of this kind.
        """

    @abstractmethod
    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return the columns that an endpoint's quantity is made from."""

    def described(self, setting: Setting) -> Iterable[Described]:
        """Return what every report shows beside the declared endpoints."""
        del setting
        return ()

    def collapsed(self, analysis: AnalysisSet, aggregation: str, rows: Ints) -> Columns:
        """Return columns with one entry a patient; `rows` counts each patient's cases."""
        del analysis, aggregation, rows
        raise InvalidInputError(
            f"Outputs of the task {self.name} are not aggregated to the patient.",
            cure="Write aggregation_to_patient: none in the protocol's estimand.",
        )

    def decisions(self, study: Study, analysis: AnalysisSet) -> Iterable[tuple[str, Sample, Bools]]:
        """Return (name, sample with `positive` and `call`, its rows), for the fairness appendix."""
        del study, analysis
        return ()

    def further(self, study: Study, analysis: AnalysisSet) -> Sequence[Result]:
        """Return results beyond endpoints and subgroups, such as PPV at other prevalences."""
        del study, analysis
        return ()

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return the figures that fit the kind."""
        del study, analysis, results
        return ()

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """Return the cases a reviewer looks at: {case, outcome, score, reference, ...}."""
        del study, analysis
        return []


def one_of(metrics: Mapping[str, Metric], name: str, kind: str) -> Metric:
    """Return a quantity of a kind.

    Raises:
        InvalidInputError: the kind has none of this name.
    """
    if name not in metrics:
        raise InvalidInputError(
            f"The task {kind} has no quantity '{name}'.",
            cure="Use one of: " + ", ".join(sorted(metrics)) + ".",
        )
    return metrics[name]


def nowhere(analysis: AnalysisSet) -> Bools:
    """Return a mask that holds nowhere."""
    return np.zeros(len(analysis), dtype=np.bool_)
