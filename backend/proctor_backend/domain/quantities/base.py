"""One measured quantity as a protocol may name it; computing it is the workers' matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BOOTSTRAP = frozenset({"auto", "bootstrap_bca"})
SHARE = frozenset({"auto", "clopper_pearson", "wilson", "bootstrap_bca"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number, word or list that a quantity takes; without a default it must be given."""

    meaning: str
    type: type = float
    default: Any = None
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    several: bool = False  # a list of such values

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, or None."""
        values = value if self.several and isinstance(value, list) else [value]
        if self.several and (not isinstance(value, list) or not value):
            return "is not a list"
        return next((text for one in values if (text := self._problem(one))), None)

    def _problem(self, value: Any) -> str | None:
        wanted: Any = (int, float) if self.type is float else self.type
        if not isinstance(value, wanted) or (isinstance(value, bool) and self.type is not bool):
            return f"is not a {self.type.__name__}"
        if self.choices and value not in self.choices:
            return "is none of " + ", ".join(str(choice) for choice in self.choices)
        return self._outside(value)

    def _outside(self, value: Any) -> str | None:
        if self.low is not None and value < self.low:
            return f"lies below {self.low:g}"
        if self.high is not None and value > self.high:
            return f"lies above {self.high:g}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A quantity's name, what it means, and what an endpoint must say to have it.

    `label`: how a report calls it; `{name}` stands for a parameter. `tasks`: the kinds that have
    it. `target`: "no", "may" or "must" name one of the manifest's targets. `written`: as "share"
    (percent), "ratio" (two decimals) or "number", with `unit` behind it. `bounds`: the values it
    can take. `prevalence_bound`: shifted by a cohort enriched by design. `two_classes`: a missing
    output can count as positive or as negative. `better`: which way is better for the patient;
    "target" means nearer to a value. `decides`: has an interval without further ado, so that a
    criterion can be judged.
    """

    name: str
    label: str
    definition: str
    tasks: frozenset[str]
    better: str = "higher"
    at_operating_point: bool = False
    target: str = "no"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    prevalence_bound: bool = False
    two_classes: bool = False
    written: str = "number"
    unit: str = ""
    bounds: tuple[float | None, float | None] = (0, 1)
    methods: frozenset[str] = BOOTSTRAP
    complete_cases: bool = False
    decides: bool = True

    def with_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter: as given, else its default."""
        return {name: given.get(name, one.default) for name, one in self.parameters.items()}


def tasks(text: str) -> frozenset[str]:
    """Return the kinds of task named in a text, separated by spaces."""
    return frozenset(text.split())
