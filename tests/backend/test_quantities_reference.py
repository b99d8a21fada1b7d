"""docs/reference/quantities.md is the vocabulary that protocols are checked against."""

from tests.backend.reference import assert_is_page

from proctor_backend.domain.quantities import QUANTITIES, Quantity
from proctor_sdk.outputs import TASKS

HEAD = """# Quantities

What an endpoint's `metric` may name, by kind of task. Generated from
`proctor_backend.domain.quantities`, the one vocabulary: a protocol that names another is refused at
its line.

- **at** an operating point of the manifest; **of** one target (`target:`), which some quantities
  may take and others must.
- **missing**: a failed or indeterminate output is counted by the endpoint's `itd_rule`; where this
  says *complete cases* it is left out and its rate co-reported.
- **prevalence**: a cohort enriched by design shifts it, so that the protocol must state the target
  prevalence or sample with weights.
"""
COLUMNS = ("metric", "definition", "needs", "parameters", "intervals beside `auto`", "notes")


def row(name: str, quantity: Quantity) -> str:
    needs = ["at" if quantity.at_operating_point else ""]
    needs.append({"must": "of", "may": "of, optional"}.get(quantity.target, ""))
    notes = ["complete cases" if quantity.complete_cases else ""]
    notes.append("prevalence" if quantity.prevalence_bound else "")
    methods = ", ".join(f"`{method}`" for method in sorted(quantity.methods - {"auto"}))
    cells = (
        f"`{name}`", quantity.definition, "; ".join(filter(None, needs)), parameters(quantity),
        methods, "; ".join(filter(None, notes)),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def parameters(quantity: Quantity) -> str:
    written = []
    for name, one in quantity.parameters.items():
        default = "" if one.default is None else f" (default `{one.default}`)"
        choices = f", one of {', '.join(map(str, one.choices))}" if one.choices else ""
        written.append(f"`{name}`: {one.meaning}{choices}{default}")
    return "<br>".join(written)


def test_the_page_is_the_vocabulary():
    lines = [HEAD]
    for task in TASKS:
        names = [name for name, quantity in QUANTITIES.items() if task in quantity.tasks]
        lines += [
            f"## {task}",
            "",
            "| " + " | ".join(COLUMNS) + " |",
            "|---" * len(COLUMNS) + "|",
            *(row(name, QUANTITIES[name]) for name in names),
            "",
        ]
    assert_is_page("quantities.md", "\n".join(lines).rstrip() + "\n")


def test_every_kind_of_task_has_quantities():
    assert {task for quantity in QUANTITIES.values() for task in quantity.tasks} == set(TASKS)


def test_definitions_end_and_labels_can_be_written():
    for name, quantity in QUANTITIES.items():
        assert quantity.name == name
        assert quantity.definition.endswith("."), name
        given = {key: one.default or 1.0 for key, one in quantity.parameters.items()}
        assert quantity.label.format(**given), name
