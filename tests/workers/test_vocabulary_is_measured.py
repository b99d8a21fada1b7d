import pytest

from proctor_backend.domain.quantities import QUANTITIES, Parameter, quantities_of
from proctor_workers.kinds.registry import KINDS

NAMED = [(task, name) for task in sorted(KINDS) for name in quantities_of(task)]

NEEDED = {  # parameters that hang together
    "within_allowance": {"absolute": 1.0},
    "partial_auc": {"low": 0.8, "high": 1.0},
}


def example(parameter: Parameter) -> object:
    """Return a value that a parameter allows."""
    if parameter.choices:
        value: object = parameter.choices[0]
    elif parameter.type is str:
        value = "name"
    else:
        low = 0 if parameter.low is None else parameter.low
        value = parameter.type(low + 1 if parameter.high is None else (low + parameter.high) / 2)
    return [value] if parameter.several else value


@pytest.mark.parametrize(("task", "name"), NAMED)
def test_quantity_of_the_vocabulary_is_measured_by_its_task(task: str, name: str) -> None:
    quantity = QUANTITIES[name]
    given = {key: example(one) for key, one in quantity.parameters.items() if one.default is None}
    given |= NEEDED.get(name, {})
    metric = KINDS[task].metric(name, quantity.with_defaults(given))
    assert metric.name == name
    assert metric.complete_cases == quantity.complete_cases
    # A metric that the design refuses must be refused when the protocol is written.
    assert quantity.prevalence_bound or not metric.prevalence_bound or name == "prevalence"
