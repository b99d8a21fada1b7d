"""The outline of a measurement: from observations and reference standard to every result.

Pure and deterministic: equal inputs, in whatever row order, give equal bytes.
"""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from proctor_backend.domain.result import Measurement, Result
from proctor_workers.accounting import accountability, baseline, rate_groups
from proctor_workers.analysis_set import join
from proctor_workers.comparators import arms, comparison_results
from proctor_workers.comparison import factors_of, fairness_results, subgroup_results
from proctor_workers.confounding import confounding_results
from proctor_workers.endpoints import read_study
from proctor_workers.explanations import background
from proctor_workers.figures import measurement_figures
from proctor_workers.kinds.base import Setting
from proctor_workers.kinds.registry import kind_of
from proctor_workers.missing_outputs import output_rates
from proctor_workers.overall import overall_results, scenario_results
from proctor_workers.several_sites import site_results
from proctor_workers.units import to_units

_LIBRARIES = ("numpy", "scipy", "numba", "pandas", "pyarrow", "fairlearn")


def measure(
    protocol: Mapping[str, Any],
    manifest: Mapping[str, Any],
    observations: pa.Table,
    reference: pa.Table,
    *,
    confounders: Sequence[str] = (),
) -> Measurement:
    """Measure one model against the reference standard as the protocol says.

    `confounders` are the facts of the acquisition that go with the cohort's reference standard.

    Raises:
        DataError: observations and reference standard do not belong together.
        InvalidInputError: the protocol names what the cohort or the manifest lacks.
    """
    kind, setting = kind_of(protocol), Setting(protocol, manifest)
    # 1  who counts: join, exclusions, units of analysis in (patient, case) order
    joined, cases = join(kind, setting, observations, reference)
    analysis = to_units(kind, setting, joined)
    # 2  what is measured, by which rule, design and seeds
    study = read_study(kind, setting, analysis)
    factors = factors_of(protocol, analysis)
    # 3  every endpoint overall, beside other raters; criteria judged by the interval's bound
    compared = comparison_results(study, analysis, arms(kind, setting, cases, joined))
    overall = overall_results(protocol, study, analysis, compared)
    further = kind.further(study, analysis)
    # 4  the same with missing outputs excluded, as either class, and at worst; how often they occur
    scenarios = scenario_results(study, analysis, overall)
    rates = output_rates(study, analysis, rate_groups(analysis, factors))
    # 5  subgroups: levels, tests, contrasts, one adjustment over the family, causes; appendix
    known = background(study, cases, joined, analysis, factors)
    groups = subgroup_results(study, analysis, known)
    sites = site_results(study, analysis, factors)
    confounded = confounding_results(study, analysis, confounders)
    appendix = fairness_results(study, analysis, factors)
    # 6  accounting, figures, the cases a reviewer looks at
    results = [
        *overall,
        *compared,
        *further,
        *scenarios,
        *rates,
        *groups,
        *sites,
        *confounded,
        *appendix,
    ]
    flow = accountability(study, analysis)
    return Measurement(
        results=tuple(results),
        figures=tuple(measurement_figures(study, analysis, results, flow)),
        accountability=flow,
        baseline=baseline(analysis, factors),
        errors=kind.errors(study, analysis),
        methods=_methods(results),
        versions={name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
    )


def _methods(results: Sequence[Result]) -> list[dict[str, Any]]:
    """List what ran: quantity, method and reference test, with how many results it made."""
    counted = Counter((one.quantity, one.method, one.reference_test or "") for one in results)
    return [
        {"quantity": quantity, "method": method, "reference_test": test or None, "results": count}
        for (quantity, method, test), count in sorted(counted.items())
    ]
