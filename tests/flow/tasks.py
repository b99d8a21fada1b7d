"""Any kind of task taken through the main line: the image answers what the table's inputs say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tests.flow.lab import ROOT, Lab

PARTS, LENGTH = 12, 180  # an input is a text of at most 200 characters
INPUTS = [f"part{number:02d}" for number in range(PARTS)]
MANIFEST = """
contract = "proctor/v1"
[model]
name = "secret-product"
version = "{version}"
vendor = "Umbrella Vendor Inc"
description = "a secret description"
training_data = "none; it returns its input"
[image]
archive = "{archive}"
[task]
{task}
{points}
[inputs]
kind = "table"
attributes = {inputs}
[resources]
memory_mb = 96
cpus = 1
tmp_mb = 8
seconds_per_case = 5
seconds_total = 120
start_seconds = 10
"""
POINT = """
[[operating_points]]
id = "{id}"
threshold = {threshold}
target = "{target}"
chosen = "by the vendor on a tuning set"
"""


@dataclass(frozen=True)
class Task:
    """A kind of task, as manifest and protocol name it."""

    kind: str
    targets: tuple[str, ...] = ()
    points: tuple[Mapping[str, Any], ...] = ()  # id, threshold, target

    def manifest(self) -> str:
        task = f'kind = "{self.kind}"'
        if self.targets:
            task += f"\ntargets = {json.dumps(list(self.targets))}"
        points = "".join(POINT.format(**{"target": ""} | dict(point)) for point in self.points)
        points = points.replace('target = ""\n', "")  # of a kind without targets
        return MANIFEST.replace("{task}", task).replace("{points}", points)


def case(name: str, patient: str, outputs: Mapping[str, Any] | None, **columns: Any) -> dict:
    """A row of the table of cases; `columns` are its reference, site and attributes."""
    text = "" if outputs is None else json.dumps(outputs, separators=(",", ":"))
    assert len(text) <= PARTS * LENGTH, f"{len(text)} characters do not fit the inputs"
    parts = {
        f"input.{part}": text[LENGTH * number : LENGTH * (number + 1)]
        for number, part in enumerate(INPUTS)
    }
    return {"case": name, "patient": patient, "site": "A"} | columns | parts


def example(task: str, **changes: Any) -> dict[str, Any]:
    """The example protocol of a task, cut down to a table study of few cases."""
    path = ROOT / "docs/examples/protocols" / f"{task}.yaml"
    document = YAML(typ="safe").load(path.read_text())
    return (
        document
        | {
            "title": f"Laboratory study: {task}",
            "input_profile": {"kind": "table", "attributes": INPUTS},
            "resamples": 2000,
            "status_slot_s": 0.2,
            "subgroups": [],
        }
        | changes
    )


def reaches_release(
    lab: Lab,
    archive: Path,
    task: Task,
    protocol: Mapping[str, Any],
    cases: Sequence[Mapping[str, Any]],
    **cohort: Any,
) -> tuple[str, dict[str, Any]]:
    """Take a task through everything; return the report's id and the full edition's body."""
    public = lab.cohort([*cases[:3]], public=True, **cohort)
    hidden = lab.cohort(cases, **cohort)
    study = lab.study(hidden, public, protocol=protocol)
    entry = lab.submit(study, archive, manifest=task.manifest(), inputs=json.dumps(INPUTS))
    view = lab.settle(entry)
    assert view["state"] == "DECIDED", view
    report = view["report"]
    body = lab["reviewer"].get(f"/reports/{report}/body")
    lab.release(report)
    return report, body
