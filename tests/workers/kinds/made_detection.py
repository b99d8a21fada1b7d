"""Made cases of boxes and of instance masks, each with lesions, hits, misses and false marks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from ruamel.yaml import YAML
from tests.flow.lab import ROOT

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.observations import observations_from_predictions

Outputs = Mapping[str, Any]
Made = tuple[dict[str, Any], pa.Table, pa.Table]  # manifest, observations, reference
POINT = {"id": "marketed", "threshold": 0.5, "comparator": ">="}
TARGETS = {"detection": ("mass",), "instance_segmentation": ("tumour", "lymphocyte")}
SIZE = (24, 24)


def protocol(task: str, **changes: Any) -> dict[str, Any]:
    """The example protocol with the defaults that a locked one has."""
    path = ROOT / "docs/examples/protocols" / f"{task}.yaml"
    document = YAML(typ="safe").load(path.read_text())
    for endpoint in document["endpoints"]:
        endpoint |= {"interval": endpoint.get("interval", {"method": "auto", "level": 0.95})}
    document["reference_standard"]["equivocal_rule"] = "exclude"
    first = document["endpoints"][0]["id"]
    document["subgroups"] = [
        {"attribute": "sex", "endpoints": [first], "margin": 0.1, "family": "bias"}
    ]
    return document | {"resamples": 200} | changes


def detection(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """Up to two masses; most are marked well, some twice, and some marks are false."""
    lower = draw.uniform(0, 300, (int(draw.integers(3)), 2))
    lesions = [[*place, *(place + 40)] for place in lower]
    marks = []
    for lesion in lesions:
        for _ in range(int(draw.integers(3))):
            moved = np.array(lesion) + draw.integers(-6, 7)
            marks.append({"box": moved.tolist(), "score": float(draw.uniform(0.3, 1))})
    for _ in range(int(draw.integers(3))):
        place = draw.uniform(400, 600, 2)
        marks.append({"box": [*place, *(place + 20)], "score": float(draw.uniform(0, 0.8))})
    return {"boxes": [{"box": [float(x) for x in one]} for one in lesions]}, {"boxes": marks}


def square(row: int, column: int, side: int) -> list[int]:
    starts = [(row + down) * SIZE[1] + column for down in range(side)]
    return [number for start in starts for number in (start, side)]


def masks(*parts: Mapping[str, Any], size: tuple[int, int] = SIZE) -> Outputs:
    return {"mask": {"size": list(size), "instances": list(parts)}}


def instance_segmentation(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """Four nuclei of two kinds; some are outlined too small or not at all."""
    truth, said = [], []
    for number, (row, column) in enumerate(((1, 1), (1, 12), (12, 1), (12, 12))):
        kind = TARGETS["instance_segmentation"][number % 2]
        truth.append({"runs": square(row, column, 6), "category": kind})
        side = int(draw.integers(3, 8))
        if side > 3:
            score = float(draw.uniform(0, 1))
            said.append({"runs": square(row, column, side), "category": kind, "score": score})
    return masks(*truth), masks(*said)


MAKERS = {"detection": detection, "instance_segmentation": instance_segmentation}


def made(task: str, n: int = 60, *, failures: int = 2, rows: int = 2, **replaced: Outputs) -> Made:
    """Cases of a task, the first ones failed; `replaced` gives single cases other outputs."""
    draw = np.random.default_rng(7)
    pairs = [MAKERS[task](draw) for _ in range(n)]
    case = [f"cas_{index:03d}" for index in range(n)]
    reference = pa.table(
        {
            "case": case,
            "patient": [f"pat_{index // rows:03d}" for index in range(n)],
            "reference_value": pa.array([None] * n, pa.string()),
            "reference_outputs": [canonical_bytes(truth).decode() for truth, _ in pairs],
            "reference_status": ["verified"] * n,
            "attr.sex": ["FM"[(index // rows) % 2] for index in range(n)],
        }
    )
    predictions = [
        {"case": name, "status": "failed", "reason": "none", "outputs": {}}
        if place < failures
        else {
            "case": name,
            "status": "ok",
            "reason": None,
            "outputs": replaced.get(name, pairs[place][1]),
        }
        for place, name in enumerate(case)
    ]
    manifest = {
        "task": {"kind": task, "targets": list(TARGETS[task])},
        "operating_points": [POINT] if task == "detection" else [],
    }
    names = {name: name for name in case}
    return manifest, observations_from_predictions(predictions, names, reference), reference


def with_reference(reference: pa.Table, case: int, outputs: Outputs | None) -> pa.Table:
    """The same cohort with another reference standard for one case."""
    column = reference["reference_outputs"].to_pylist()
    column[case] = None if outputs is None else canonical_bytes(outputs).decode()
    place = reference.column_names.index("reference_outputs")
    changed = reference.set_column(place, "reference_outputs", pa.array(column, pa.string()))
    plain = changed["reference_value"].to_pylist()
    plain[case] = "mass" if outputs is None else plain[case]
    place = changed.column_names.index("reference_value")
    return changed.set_column(place, "reference_value", pa.array(plain, pa.string()))
