"""What a protocol's fields must mean together, each rule one generator of problems."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from proctor_backend.domain.interval_rules import compared_tests, unfit_intervals
from proctor_backend.domain.problems import Document, Path, Problem
from proctor_backend.domain.quantities import QUANTITIES, Quantity, quantities_of

_COMPARATORS = {"lower": (">=", ">"), "upper": ("<=", "<")}
# Ingest pools ages above this, so a band beyond it cannot be filled.
HIGHEST_AGE_EDGE = 90


def problems_of(document: Document) -> Iterator[Problem]:
    """Yield every broken rule of a document whose shape the schema has accepted."""
    yield from _endpoint_ids(document)
    for index, endpoint in enumerate(document["endpoints"]):
        yield from _quantity(document, endpoint, ("endpoints", index))
        yield from _criterion(endpoint, ("endpoints", index))
        yield from _deciding_level(document, endpoint, ("endpoints", index))
        yield from _sampling(document, endpoint, ("endpoints", index))
        yield from _comparison(document, endpoint, ("endpoints", index))
        yield from unfit_intervals(document, endpoint, ("endpoints", index))
    yield from _families(document)
    yield from compared_tests(document)
    for index, subgroup in enumerate(document["subgroups"]):
        yield from _subgroup(document, subgroup, ("subgroups", index))
    yield from _prevalence(document["target_population"])
    yield from _one_prevalence(document)
    yield from _sample_size(document["sample_size"])
    yield from _estimand(document)
    yield from _positive(document)
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
    lacking = {"primary", "secondary"} - {one["role"] for one in endpoints if one.get("criterion")}
    if lacking and document["multiplicity"]["primary"] == "gatekeeping":
        yield Problem(
            ("multiplicity", "primary"),
            "Gatekeeping needs a primary criterion and a secondary one behind it.",
            "Write co_primary, or give a primary and a secondary endpoint a criterion.",
        )


def _quantity(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    """The metric is one of the task's; its target and parameters are as it needs them."""
    quantity = QUANTITIES.get(endpoint["metric"])
    if quantity is None or document["task"] not in quantity.tasks:
        yield Problem(
            (*path, "metric"),
            f"The task {document['task']} has no quantity '{endpoint['metric']}'.",
            "Choose one of: " + ", ".join(sorted(quantities_of(document["task"]))) + ".",
        )
        return
    yield from _operating_point(quantity, endpoint, path)
    yield from _target(document, quantity, endpoint, path)
    yield from _parameters(quantity, endpoint, path)
    yield from _missing(quantity, endpoint, path)
    method = endpoint["interval"]["method"]
    if method not in quantity.methods:
        yield Problem(
            (*path, "interval", "method"),
            f"{method} is no interval for {quantity.name}.",
            "Choose one of: " + ", ".join(sorted(quantity.methods)) + ".",
        )


def _operating_point(quantity: Quantity, endpoint: Document, path: Path) -> Iterator[Problem]:
    named = endpoint.get("operating_point") is not None
    if quantity.at_operating_point and not named:
        yield Problem(
            (*path, "metric"),
            f"{quantity.name} is made from decisions and needs an operating point.",
            "Add operating_point: with the id of a decision rule of the manifest.",
        )
    if named and not quantity.at_operating_point:
        yield Problem(
            (*path, "operating_point"),
            f"{quantity.name} does not depend on an operating point.",
            "Remove operating_point.",
        )


def _target(
    document: Document, quantity: Quantity, endpoint: Document, path: Path
) -> Iterator[Problem]:
    named = endpoint.get("target") is not None
    binary = document["task"] == "binary_classification"
    of_two_classes = "binary_classification" in quantity.tasks  # elsewhere of one target at a time
    one_of_several = (
        quantity.target == "may"
        and of_two_classes
        and not binary
        and not quantity.at_operating_point
    )
    if (quantity.target == "must" or one_of_several) and not named:
        yield Problem(
            (*path, "metric"),
            f"{quantity.name} is taken for one target.",
            "Add target: with one of the manifest's targets.",
        )
    if (quantity.target == "no" or binary) and named:
        yield Problem(
            (*path, "target"), f"{quantity.name} is not taken for a target.", "Remove target."
        )


def _parameters(quantity: Quantity, endpoint: Document, path: Path) -> Iterator[Problem]:
    given = endpoint.get("parameters") or {}
    for name in given:
        if name not in quantity.parameters:
            yield Problem(
                (*path, "parameters", name),
                f"{quantity.name} has no parameter '{name}'.",
                "Use: " + (", ".join(sorted(quantity.parameters)) or "none") + ".",
            )
    for name, parameter in quantity.parameters.items():
        if name not in given and parameter.default is None:
            yield Problem(
                (*path, "metric"),
                f"{quantity.name} needs the parameter '{name}'.",
                f"Add it under parameters: {parameter.meaning}",
            )
        elif name in given and (what := parameter.problem(given[name])):
            yield Problem(
                (*path, "parameters", name), f"{name} {what}.", f"Give {parameter.meaning}"
            )


def _missing(quantity: Quantity, endpoint: Document, path: Path) -> Iterator[Problem]:
    rule = endpoint["itd_rule"]
    if rule in {"as_positive", "as_negative"} and not quantity.two_classes:
        yield Problem(
            (*path, "itd_rule"),
            f"A missing output cannot count {rule.replace('_', ' ')} for {quantity.name}.",
            "Choose failed_as_error, worst_case or exclude.",
        )


def _deciding_level(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    level, alpha = endpoint["interval"]["level"], document["alpha"]
    if endpoint.get("criterion") is not None and level < 1 - alpha - 1e-12:
        yield Problem(
            (*path, "interval", "level"),
            f"A criterion judged at level {level:g} errs more often than alpha, {alpha:g}.",
            f"Write level: {1 - alpha:g} or above, or no criterion.",
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
    known = QUANTITIES.get(endpoint["metric"])
    if known is not None and not known.decides:
        yield Problem(
            here,
            f"{endpoint['metric']} has no interval that a criterion could be judged by.",
            "Judge another quantity; show this one without a criterion.",
        )
    low, high = known.bounds if known else (None, None)
    if (low is not None and criterion["value"] < low) or (
        high is not None and criterion["value"] > high
    ):
        between = f"between {low:g} and {high:g}" if high is not None else f"at {low:g} or above"
        yield Problem(
            (*here, "value"),
            f"{endpoint['metric']} lies {between}, so {criterion['value']:g} cannot decide.",
            "Write a value that it can take; a share as 0.85.",
        )


def _comparison(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    """A hypothesis has a margin with its reason, and can be judged by one interval alone."""
    compared = endpoint.get("comparison")
    if compared is None or compared.get("hypothesis") is None:
        return
    here = (*path, "comparison")
    hypothesis, margin = compared["hypothesis"], compared.get("margin")
    if margin is None and hypothesis != "superiority":
        yield Problem(
            here,
            f"A comparison for {hypothesis.replace('_', '-')} needs a margin.",
            "Add margin: with the largest difference without clinical relevance, and reason:.",
        )
    if margin is not None and not compared.get("reason"):
        yield Problem(
            (*here, "margin"), "The margin has no reason.", "Add reason: with the clinical one."
        )
    if endpoint["role"] == "exploratory":
        yield Problem(
            here, "An exploratory endpoint decides nothing.", "Remove the hypothesis or the role."
        )
    known = QUANTITIES.get(endpoint["metric"])
    if known is not None and known.better == "target" and hypothesis != "equivalence":
        yield Problem(
            (*here, "hypothesis"),
            f"{endpoint['metric']} is best at a value, so that neither more nor less is better.",
            "Write equivalence, or describe the difference without a hypothesis.",
        )
    mode = document["multiplicity"]["primary"]
    if mode == "gatekeeping" or (endpoint["role"] == "primary" and mode != "co_primary"):
        yield Problem(
            here,
            f"A comparison is judged at its own level, which {mode} would change.",
            "Write multiplicity.primary: co_primary, or give the difference no hypothesis.",
        )


def _sampling(document: Document, endpoint: Document, path: Path) -> Iterator[Problem]:
    kind = document["sampling_design"]["kind"]
    stated = document["target_population"].get("prevalence") is not None
    if kind in {"consecutive", "weighted"} or stated:
        return
    known = QUANTITIES.get(endpoint["metric"])
    if known is not None and known.prevalence_bound:
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


def _margin(document: Document, subgroup: Document, path: Path) -> Iterator[Problem]:
    """A margin as wide as all values the quantity can take would allow any difference."""
    margin = subgroup.get("margin")
    for endpoint in document["endpoints"]:
        quantity = QUANTITIES.get(endpoint["metric"])
        if margin is None or quantity is None or endpoint["id"] not in subgroup["endpoints"]:
            continue
        low, high = quantity.bounds
        if low is not None and high is not None and margin >= high - low:
            yield Problem(
                (*path, "margin"),
                f"The margin is wider than all that {quantity.name} can differ by.",
                f"Write less than {high - low:g}.",
            )
            return


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
    yield from _margin(document, subgroup, path)
    own = subgroup["attribute"]
    for index, name in enumerate(subgroup.get("adjust_for") or ()):
        if name == own or (not isinstance(own, str) and name in own):
            yield Problem(
                (*path, "adjust_for", index),
                f"A difference in {name} is not adjusted for {name} itself.",
                "Name another attribute.",
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


def _one_prevalence(document: Document) -> Iterator[Problem]:
    several = {"multiclass_classification", "multilabel_classification", "ordinal_classification"}
    if document["task"] in several and document["target_population"].get("prevalence") is not None:
        yield Problem(
            ("target_population", "prevalence"),
            f"One prevalence does not describe the targets of {document['task']}.",
            "Remove it; sample consecutively, or with weights, for quantities that depend on it.",
        )


def _positive(document: Document) -> Iterator[Problem]:
    binary = document["task"] == "binary_classification"
    if binary and not document["reference_standard"].get("positive"):
        yield Problem(
            ("reference_standard",),
            "Two classes need the value that means 'condition present'.",
            "Add positive: with that value of the reference standard.",
        )


def _estimand(document: Document) -> Iterator[Problem]:
    estimand = document["estimand"]
    aggregated = estimand["aggregation_to_patient"] != "none"
    if aggregated and document["task"] != "binary_classification":
        yield Problem(
            ("estimand", "aggregation_to_patient"),
            f"Outputs of the task {document['task']} are not aggregated to the patient.",
            "Write aggregation_to_patient: none; the patient stays the unit of inference.",
        )
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
