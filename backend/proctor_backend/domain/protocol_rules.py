"""What a protocol's fields must mean together, each rule one generator of problems."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Document = Mapping[str, Any]
Path = tuple[str | int, ...]

# Quantities made from decisions: they exist only at an operating point.
PREDICTIVE = frozenset({"ppv", "npv", "nnp"})
DECISION_METRICS = PREDICTIVE | {
    *("sensitivity", "specificity", "lr_positive", "lr_negative"),
    *("accuracy", "balanced_accuracy", "f1", "mcc"),
}
PROPORTIONS = frozenset(["sensitivity", "specificity", "ppv", "npv", "accuracy", "prevalence"])
# A cohort enriched by design shifts these; they need weights or a stated prevalence.
PREVALENCE_BOUND = PREDICTIVE | {
    *("accuracy", "f1", "mcc", "auprc", "brier", "oe_ratio", "calibration_intercept"),
}
UNIT_RANGE = PROPORTIONS | {"auroc", "auprc", "brier", "balanced_accuracy", "f1"}
INTERVAL_METHODS: Mapping[str, frozenset[str]] = {
    "auroc": frozenset({"auto", "logit_delong", "newcombe5", "bootstrap_bca"}),
    **dict.fromkeys(PROPORTIONS, frozenset({"auto", "clopper_pearson", "wilson", "bootstrap_bca"})),
}
_OTHER_METHODS = frozenset({"auto", "bootstrap_bca"})
_COMPARATORS = {"lower": (">=", ">"), "upper": ("<=", "<")}
# Ingest pools ages above this, so a band beyond it cannot be filled.
HIGHEST_AGE_EDGE = 90


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: where, what, and what to write instead."""

    path: Path
    what: str
    cure: str

    @property
    def field(self) -> str:
        """Return the place as a reader writes it: `endpoints[0].interval.method`."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    def as_dict(self) -> dict[str, Any]:
        """Return the form that an answer carries."""
        return {"field": self.field, "what": self.what, "cure": self.cure}


def problems_of(document: Document) -> Iterator[Problem]:
    """Yield every broken rule of a document whose shape the schema has accepted."""
    yield from _endpoint_ids(document)
    for index, endpoint in enumerate(document["endpoints"]):
        yield from _operating_point(endpoint, ("endpoints", index))
        yield from _interval(endpoint, ("endpoints", index))
        yield from _criterion(endpoint, ("endpoints", index))
        yield from _sampling(document, endpoint, ("endpoints", index))
    yield from _families(document)
    for index, subgroup in enumerate(document["subgroups"]):
        yield from _subgroup(document, subgroup, ("subgroups", index))
    yield from _prevalence(document["target_population"])
    yield from _sample_size(document["sample_size"])
    yield from _estimand(document["estimand"])
    yield from _execution(document)
    yield from _input_profile(document["input_profile"])


def _endpoint_ids(document: Document) -> Iterator[Problem]:
    endpoints = document["endpoints"]
    counts = Counter(endpoint["id"] for endpoint in endpoints)
    for index, endpoint in enumerate(endpoints):
        if counts[endpoint["id"]] > 1:
            yield Problem(
                ("endpoints", index, "id"),
                f"The id '{endpoint['id']}' is used {counts[endpoint['id']]} times.",
                "Give every endpoint an id of its own.",
            )
    if not any(endpoint["role"] == "primary" for endpoint in endpoints):
        yield Problem(
            ("endpoints",), "No endpoint is primary.", "Give one endpoint the role 'primary'."
        )


def _operating_point(endpoint: Document, path: Path) -> Iterator[Problem]:
    needed = endpoint["metric"] in DECISION_METRICS
    named = endpoint.get("operating_point") is not None
    if needed and not named:
        yield Problem(
            (*path, "metric"),
            f"{endpoint['metric']} is made from decisions and needs an operating point.",
            "Add operating_point: with the id of a decision rule of the manifest.",
        )
    if named and not needed:
        yield Problem(
            (*path, "operating_point"),
            f"{endpoint['metric']} does not depend on an operating point.",
            "Remove operating_point.",
        )


def _interval(endpoint: Document, path: Path) -> Iterator[Problem]:
    method, metric = endpoint["interval"]["method"], endpoint["metric"]
    allowed = INTERVAL_METHODS.get(metric, _OTHER_METHODS)
    if method not in allowed:
        yield Problem(
            (*path, "interval", "method"),
            f"{method} is no interval for {metric}.",
            "Choose one of: " + ", ".join(sorted(allowed)) + ".",
        )


def _criterion(endpoint: Document, path: Path) -> Iterator[Problem]:
    criterion = endpoint.get("criterion")
    if criterion is None:
        return
    here = (*path, "criterion")
    if endpoint["role"] == "exploratory":
        yield Problem(
            here, "An exploratory endpoint decides nothing.", "Remove the criterion or the role."
        )
    allowed = _COMPARATORS[criterion["bound"]]
    if criterion["comparator"] not in allowed:
        yield Problem(
            (*here, "comparator"),
            f"A {criterion['bound']} bound is not judged by '{criterion['comparator']}'.",
            f"Write '{allowed[0]}', or judge the other bound.",
        )
    if endpoint["metric"] in UNIT_RANGE and not 0 <= criterion["value"] <= 1:
        yield Problem(
            (*here, "value"),
            f"{endpoint['metric']} lies between 0 and 1, so {criterion['value']:g} cannot decide.",
            "Write the value as a share, for example 0.85.",
        )


def _sampling(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    kind = document["sampling_design"]["kind"]
    stated = document["target_population"].get("prevalence") is not None
    if kind in {"consecutive", "weighted"} or stated:
        return
    if endpoint["metric"] in PREVALENCE_BOUND:
        yield Problem(
            (*path, "metric"),
            f"{endpoint['metric']} depends on the prevalence, which {kind} sampling has set.",
            "State target_population.prevalence with its source, sample with weights, "
            "or choose a quantity that does not depend on it.",
        )


def _families(document: Document) -> Iterator[Problem]:
    families = document["multiplicity"]["families"]
    counts = Counter(family["id"] for family in families)
    for index, family in enumerate(families):
        if counts[family["id"]] > 1:
            yield Problem(
                ("multiplicity", "families", index, "id"),
                f"The family '{family['id']}' is declared more than once.",
                "Declare it once.",
            )


def _subgroup(document: Document, subgroup: Document, path: Path) -> Iterator[Problem]:
    endpoints = {endpoint["id"] for endpoint in document["endpoints"]}
    for index, name in enumerate(subgroup["endpoints"]):
        if name not in endpoints:
            yield Problem(
                (*path, "endpoints", index),
                f"There is no endpoint '{name}'.",
                "Name one of: " + ", ".join(sorted(endpoints)) + ".",
            )
    families = {family["id"] for family in document["multiplicity"]["families"]}
    family = subgroup.get("family")
    if family is not None and family not in families:
        yield Problem(
            (*path, "family"),
            f"The family '{family}' is not declared.",
            f"Add {{id: {family}, method: holm}} to multiplicity.families.",
        )
    if family is not None and subgroup.get("margin") is None:
        yield Problem(
            path,
            "A tested subgroup needs a margin to conclude against.",
            "Add margin: with the largest difference without clinical relevance.",
        )
    yield from _bands(subgroup, path)


def _bands(subgroup: Document, path: Path) -> Iterator[Problem]:
    bands = subgroup.get("bands")
    if bands is None:
        return
    attribute = subgroup["attribute"]
    if not isinstance(attribute, str):
        yield Problem(
            (*path, "bands"),
            "Bands belong to one attribute, not to an intersection.",
            "Give the attribute its own subgroup with bands; the intersection takes them over.",
        )
    if any(left >= right for left, right in pairwise(bands)):
        yield Problem(
            (*path, "bands"), "The edges do not ascend.", "Write each edge once, smallest first."
        )
    if attribute == "age" and max(bands) > HIGHEST_AGE_EDGE:
        yield Problem(
            (*path, "bands"),
            f"Ages above {HIGHEST_AGE_EDGE - 1} are pooled, so no edge can lie higher.",
            f"End with {HIGHEST_AGE_EDGE} or less.",
        )


def _prevalence(population: Document) -> Iterator[Problem]:
    names = [
        name
        for name in ("prevalence_low", "prevalence", "prevalence_high")
        if population.get(name) is not None
    ]
    for left, right in pairwise(names):
        if population[left] > population[right]:
            yield Problem(
                ("target_population", left), f"{left} lies above {right}.", "Exchange the values."
            )
    if "prevalence" in names and not population.get("source"):
        yield Problem(
            ("target_population", "prevalence"),
            "The prevalence has no source.",
            "Add source: with the registry or paper it is taken from.",
        )
    if names and "prevalence" not in names:
        yield Problem(
            ("target_population", names[0]),
            "A range without the prevalence itself.",
            "Add prevalence: with its source.",
        )


def _sample_size(size: Document) -> Iterator[Problem]:
    for name in ("planned_positive", "planned_patients"):
        if size.get(name, 0) > size["planned_n"]:
            yield Problem(
                ("sample_size", name), f"{name} is above planned_n.", "Correct one of them."
            )


def _estimand(estimand: Document) -> Iterator[Problem]:
    aggregated = estimand["aggregation_to_patient"] != "none"
    if aggregated and estimand["unit"] != "patient":
        yield Problem(
            ("estimand", "aggregation_to_patient"),
            f"Scores are aggregated to the patient, but the unit is the {estimand['unit']}.",
            "Write unit: patient, or aggregation_to_patient: none.",
        )


def _execution(document: Document) -> Iterator[Problem]:
    window = document["window"]
    if window > 1 and not document.get("window_reason"):
        yield Problem(
            ("window",),
            "A window above 1 lets the model compare cases.",
            "Add window_reason:, or write window: 1.",
        )
    if window > 1 and document["isolation"] == "case":
        yield Problem(
            ("isolation",),
            "A fresh container per case cannot hold several cases.",
            "Write window: 1, or isolation: run.",
        )
    if document["runtime"] == "runsc" and document["limits"]["gpu"]:
        yield Problem(
            ("runtime",),
            "gVisor has no GPU here.",
            "Write runtime: any, or limits.gpu: false.",
        )


def _input_profile(profile: Document) -> Iterator[Problem]:
    if profile["kind"] != "dicom" and profile["headers"]:
        yield Problem(
            ("input_profile", "headers"),
            f"Cases of kind '{profile['kind']}' have no header fields.",
            "Remove headers, or write kind: dicom.",
        )
    if profile["kind"] == "table" and not profile["attributes"]:
        yield Problem(
            ("input_profile",),
            "A table study without a granted covariate gives the model nothing to read.",
            "List the covariates in attributes.",
        )
