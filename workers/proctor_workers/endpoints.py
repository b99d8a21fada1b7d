"""The protocol's endpoints as the measurement reads them, and how an estimate becomes a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.domain.result import Conclusion, Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet, has_weights
from proctor_workers.kinds.base import Described, Kind, Setting, View
from proctor_workers.metrics.metric import Estimate, Metric, Plan
from proctor_workers.metrics.sample import Design
from proctor_workers.statistics.bootstrap import Drawn

_FEWEST = 30  # reliability rule: below this effective n a result is flagged
_WIDEST = 0.30  # and above this width of its interval
RULES = {
    "exclude": "missing and indeterminate outputs are left out",
    "as_positive": "missing and indeterminate outputs count as positive",
    "as_negative": "missing and indeterminate outputs count as negative",
    "worst_case": "missing and indeterminate outputs count as errors",
    "failed_as_error": "failed outputs count as errors; indeterminate ones are left out, "
    "their rate is reported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One quantity to measure: what, of which target, where, by which rule and interval."""

    id: str
    metric: str
    quantity: Metric
    role: Role
    definition: str
    operating_point: str | None
    target: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rule: str
    level: float
    method: str
    criterion: Mapping[str, Any] | None
    comparison: Mapping[str, Any] | None = None

    @property
    def result_id(self) -> str:
        """The id of its overall result, such as "sensitivity.main"."""
        if self.operating_point is None or self.id.endswith(f".{self.operating_point}"):
            return self.id
        return f"{self.id}.{self.operating_point}"

    @property
    def said(self) -> dict[str, Any]:
        """What of it stands beside each of its results."""
        named = {"target": self.target, "operating_point": self.operating_point}
        found: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        return found | ({"parameters": dict(self.parameters)} if self.parameters else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the protocol and manifest say about measuring."""

    kind: Kind
    setting: Setting
    endpoints: tuple[Endpoint, ...]
    design: Design
    alpha: float
    resamples: int
    bootstrap_seed: int
    permutation_seed: int
    planned_auc: float | None
    drawn: Drawn = field(default_factory=Drawn, repr=False, compare=False)
    # Few quantities share the whole cohort's draws: they are made again, and memory stays flat.
    drawn_overall: Drawn = field(
        default_factory=lambda: Drawn(kept_up_to=1 << 25), repr=False, compare=False
    )

    @property
    def operating_points(self) -> tuple[str, ...]:
        """The ids of the manifest's decision rules."""
        return self.setting.operating_points

    def view(self, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return what an endpoint's quantity is made from."""
        return self.kind.view(self.setting, analysis, endpoint)

    def plan(self, endpoint: Endpoint, *, group: str = "") -> Plan:
        """Return how an endpoint is estimated, overall or by the levels of a factor (`group`)."""
        return Plan(
            design=self.design,
            level=endpoint.level,
            method=endpoint.method,
            resamples=self.resamples,
            seed=self.bootstrap_seed,
            stream=group,
            planned_auc=self.planned_auc if endpoint.criterion else None,
            drawn=self.drawn if group else self.drawn_overall,
        )

    def endpoint(self, described: Described, *, rule: str | None = None) -> Endpoint:
        """Return a descriptive endpoint, by the study's first rule and level."""
        first = self.endpoints[0]
        return _described(self.kind, described, rule or first.rule, first.level)


def read_study(kind: Kind, setting: Setting, analysis: AnalysisSet) -> Study:
    """Read endpoints, design and seeds; add the descriptive quantities every report shows.

    Raises:
        InvalidInputError: an endpoint cannot be read.
    """
    protocol = setting.protocol
    declared = [_endpoint(kind, setting, one) for one in protocol["endpoints"]]
    seeds = protocol.get("seeds") or {}
    population = protocol.get("target_population") or {}
    planned = (protocol.get("sample_size") or {}).get("planned_auroc")
    goals = [
        float(one.criterion["value"])
        for one in declared
        if one.quantity.logit_scale and one.criterion and one.criterion["bound"] == "lower"
    ]
    return Study(
        kind=kind,
        setting=setting,
        endpoints=(*declared, *_descriptive(kind, setting, declared)),
        design=Design(
            kind=protocol["sampling_design"]["kind"],
            weighted=has_weights(protocol, analysis.weight),
            prevalence=population.get("prevalence"),
            prevalence_low=population.get("prevalence_low"),
            prevalence_high=population.get("prevalence_high"),
        ),
        alpha=float(protocol.get("alpha", 0.05)),
        resamples=int(protocol.get("resamples", 2000)),
        bootstrap_seed=int(seeds.get("bootstrap", 0)),
        permutation_seed=int(seeds.get("permutation", 0)),
        # A goal of .95 is planned for only where the AUC is expected to be higher still.
        planned_auc=float(planned) if planned is not None else max(goals, default=None),
    )


def _endpoint(kind: Kind, setting: Setting, document: Mapping[str, Any]) -> Endpoint:
    metric, rule = document["metric"], document.get("itd_rule")
    if rule not in RULES:
        raise InvalidInputError(
            f"Endpoint '{document['id']}' names an unknown rule for missing outputs.",
            cure="Use an itd_rule of the protocol's schema.",
        )
    if metric not in QUANTITIES:
        raise InvalidInputError(f"Endpoint '{document['id']}' names an unknown quantity.")
    parameters = QUANTITIES[metric].with_defaults(document.get("parameters") or {})
    quantity = kind.metric(metric, parameters)
    point, points = document.get("operating_point"), setting.operating_points
    if QUANTITIES[metric].at_operating_point and point is None:
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
        quantity=quantity,
        role=Role(document["role"]),
        definition=document.get("definition") or QUANTITIES[metric].definition,
        operating_point=point if QUANTITIES[metric].at_operating_point else None,
        target=document.get("target"),
        parameters=parameters,
        rule=rule,
        level=float(interval.get("level", 0.95)),
        method=interval.get("method", "auto"),
        criterion=document.get("criterion"),
        comparison=document.get("comparison") or _beside(setting.protocol),
    )


def _beside(protocol: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the comparison of an endpoint that declares none: beside the study's comparator."""
    rater = (protocol.get("comparator") or {}).get("rater")
    return None if rater is None else {"against": rater}


def _descriptive(kind: Kind, setting: Setting, declared: list[Endpoint]) -> list[Endpoint]:
    """Return what every report shows and the protocol does not name, by its first rule."""
    present = {(one.metric, one.operating_point, one.target) for one in declared}
    taken = {one.result_id for one in declared}
    added = []
    for one in kind.described(setting):
        endpoint = _described(kind, one, declared[0].rule, declared[0].level)
        if (one.metric, one.operating_point, one.target) not in present and (
            endpoint.result_id not in taken
        ):
            added.append(endpoint)
    return added


def _described(kind: Kind, one: Described, rule: str, level: float) -> Endpoint:
    parameters = QUANTITIES[one.metric].with_defaults(one.parameters)
    return Endpoint(
        id=one.metric if one.target is None else f"{one.metric}.{one.target}",
        metric=one.metric,
        quantity=kind.metric(one.metric, parameters),
        role=Role.DESCRIPTIVE,
        definition=QUANTITIES[one.metric].definition,
        operating_point=one.operating_point,
        target=one.target,
        parameters=parameters,
        rule=rule,
        level=level,
        method="auto",
        criterion=None,
    )


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
        reference_test=endpoint.quantity.reference_test,
        # A test without an interval is read by its p value.
        p_value=None if interval else found.extra.get("p_value"),
        scenario=scenario,
        flags=tuple(_flags(endpoint, found)),
        extra=dict(found.extra) | _effective(found) | endpoint.said,
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
        endpoint.quantity.unit_scale
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
