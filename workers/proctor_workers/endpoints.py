"""The protocol's endpoints as the measurement reads them, and how an estimate becomes a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet, has_weights
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.estimate import Estimate, Plan
from proctor_workers.metrics.sample import Design
from proctor_workers.missing_outputs import RULES

_FEWEST = 30  # reliability rule: below this effective n a result is flagged
_WIDEST = 0.30  # and above this width of its interval
_SHOWN_PER_POINT = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One quantity to measure: what, at which operating point, by which rule and interval."""

    id: str
    metric: str
    role: Role
    definition: str
    operating_point: str | None
    rule: str
    level: float
    method: str
    criterion: Mapping[str, Any] | None

    @property
    def result_id(self) -> str:
        """The id of its overall result, such as "sensitivity.main"."""
        if self.operating_point is None or self.id.endswith(f".{self.operating_point}"):
            return self.id
        return f"{self.id}.{self.operating_point}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the protocol and manifest say about measuring."""

    endpoints: tuple[Endpoint, ...]
    design: Design
    operating_points: tuple[str, ...]
    alpha: float
    resamples: int
    bootstrap_seed: int
    permutation_seed: int
    planned_auc: float | None

    def plan(self, endpoint: Endpoint, *, group: str = "") -> Plan:
        """Return how an endpoint is estimated in a group."""
        return Plan(
            design=self.design,
            level=endpoint.level,
            method=endpoint.method,
            resamples=self.resamples,
            seed=self.bootstrap_seed,
            stream=f"{endpoint.operating_point}{group}",
            planned_auc=self.planned_auc if endpoint.criterion else None,
        )


def read_study(
    protocol: Mapping[str, Any], manifest: Mapping[str, Any], analysis: AnalysisSet
) -> Study:
    """Read endpoints, design and seeds; add the descriptive quantities every report shows.

    Raises:
        InvalidInputError: an endpoint cannot be read.
    """
    points = tuple(point["id"] for point in manifest.get("operating_points") or ())
    declared = [_endpoint(one, points) for one in protocol["endpoints"]]
    seeds = protocol.get("seeds") or {}
    population = protocol.get("target_population") or {}
    planned = (protocol.get("sample_size") or {}).get("planned_auroc")
    goals = [
        float(one.criterion["value"])
        for one in declared
        if one.metric == "auroc" and one.criterion and one.criterion["bound"] == "lower"
    ]
    return Study(
        endpoints=(*declared, *_descriptive(declared, points)),
        design=Design(
            kind=protocol["sampling_design"]["kind"],
            weighted=has_weights(protocol, analysis.weight),
            prevalence=population.get("prevalence"),
            prevalence_low=population.get("prevalence_low"),
            prevalence_high=population.get("prevalence_high"),
        ),
        operating_points=points,
        alpha=float(protocol.get("alpha", 0.05)),
        resamples=int(protocol.get("resamples", 2000)),
        bootstrap_seed=int(seeds.get("bootstrap", 0)),
        permutation_seed=int(seeds.get("permutation", 0)),
        # A goal of .95 is planned for only where the AUC is expected to be higher still.
        planned_auc=float(planned) if planned is not None else max(goals, default=None),
    )


def _endpoint(document: Mapping[str, Any], points: tuple[str, ...]) -> Endpoint:
    metric, rule = document["metric"], document.get("itd_rule")
    if metric not in METRICS or rule not in RULES:
        raise InvalidInputError(
            f"Endpoint '{document['id']}' names an unknown metric or rule for missing outputs.",
            cure="Use a metric and an itd_rule of the protocol's schema.",
        )
    point = document.get("operating_point")
    if METRICS[metric].needs == "call" and point is None:
        if len(points) != 1:
            raise InvalidInputError(
                f"Endpoint '{document['id']}' needs an operating point.",
                cure="Name one of the manifest's operating points in the endpoint.",
            )
        point = points[0]
    interval = document.get("interval") or {}
    return Endpoint(
        id=document["id"],
        metric=metric,
        role=Role(document["role"]),
        definition=document.get("definition") or METRICS[metric].definition,
        operating_point=point if METRICS[metric].needs == "call" else None,
        rule=rule,
        level=float(interval.get("level", 0.95)),
        method=interval.get("method", "auto"),
        criterion=document.get("criterion"),
    )


def _descriptive(declared: list[Endpoint], points: tuple[str, ...]) -> list[Endpoint]:
    """Return what every report shows and the protocol does not name, by its first rule."""
    present = {(one.metric, one.operating_point) for one in declared}
    taken = {one.result_id for one in declared}
    wanted: list[tuple[str, str | None]] = [
        (metric, point) for point in points for metric in _SHOWN_PER_POINT
    ]
    added = []
    for metric, point in [*wanted, ("prevalence", None)]:
        endpoint = Endpoint(
            id=metric,
            metric=metric,
            role=Role.DESCRIPTIVE,
            definition=METRICS[metric].definition,
            operating_point=point,
            rule=declared[0].rule,
            level=declared[0].level,
            method="auto",
            criterion=None,
        )
        if (metric, point) not in present and endpoint.result_id not in taken:
            added.append(endpoint)
    return added


def as_result(
    endpoint: Endpoint,
    found: Estimate,
    *,
    id_: str | None = None,
    role: Role | None = None,
    group: Mapping[str, str] | None = None,
    scenario: str | None = None,
) -> Result:
    """Turn an estimate into a result with its flags; without a value the flags say why."""
    interval = None
    if found.lower is not None and found.upper is not None:
        interval = Interval(
            lower=found.lower, upper=found.upper, level=endpoint.level, method=found.method
        )
    rule = RULES[scenario_rule(endpoint, scenario)]
    return Result(
        id=id_ or endpoint.result_id,
        quantity=endpoint.metric,
        role=role or endpoint.role,
        group=group,
        estimate=found.value,
        interval=interval,
        n=found.n,
        patients=found.patients,
        n_positive=found.n_positive,
        numerator=found.numerator,
        denominator=found.denominator,
        method=found.method,
        definition=f"{endpoint.definition} Missing outputs: {rule}.",
        reference_test=METRICS[endpoint.metric].reference_test,
        scenario=scenario,
        flags=tuple(_flags(endpoint, found)),
        extra=dict(found.extra) | _effective(found),
    )


def scenario_rule(endpoint: Endpoint, scenario: str | None) -> str:
    """Return the rule for missing outputs that holds in a scenario."""
    if scenario is None:
        return endpoint.rule
    return "exclude" if scenario == "excluded" else scenario


def _effective(found: Estimate) -> dict[str, Any]:
    return {} if found.effective_n is None else {"effective_n": found.effective_n}


def _flags(endpoint: Endpoint, found: Estimate) -> list[str]:
    flags = list(found.flags)
    if found.reason:
        flags.append(found.reason)
        return flags
    if found.effective_n is not None and found.effective_n < _FEWEST:
        flags.append(f"unreliable: effective n below {_FEWEST}")
    if (
        METRICS[endpoint.metric].unit_scale
        and found.lower is not None
        and found.upper is not None
        and found.upper - found.lower > _WIDEST
    ):
        flags.append(f"unreliable: interval wider than {_WIDEST:.2f}")
    return flags


def judged(criterion: Mapping[str, Any], found: Estimate) -> Conclusion:
    """Judge a criterion by the interval's bound, never by the estimate."""
    bound = found.lower if criterion["bound"] == "lower" else found.upper
    if bound is None:
        return Conclusion.INCONCLUSIVE
    value = float(criterion["value"])
    met = {
        ">=": bound >= value,
        ">": bound > value,
        "<=": bound <= value,
        "<": bound < value,
    }[criterion["comparator"]]
    return Conclusion.CRITERION_MET if met else Conclusion.CRITERION_NOT_MET
