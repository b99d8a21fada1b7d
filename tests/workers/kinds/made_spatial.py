"""Made cases of masks, points, transforms and images, each with what it must measure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from ruamel.yaml import YAML
from tests.flow.lab import ROOT

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.metrics.segmentation.runs import encode_runs
from proctor_workers.observations import observations_from_predictions

Outputs = Mapping[str, Any]
Made = tuple[dict[str, Any], pa.Table, pa.Table]  # manifest, observations, reference
TASKS = ("segmentation", "landmarks", "registration", "image_to_image")
SIZE, SPACING = (6, 8, 8), (2.0, 1.0, 1.0)


def protocol(task: str, **changes: Any) -> dict[str, Any]:
    """The example protocol with the defaults that a locked one has."""
    path = ROOT / "docs/examples/protocols" / f"{task}.yaml"
    document = YAML(typ="safe").load(path.read_text())
    for endpoint in document["endpoints"]:
        endpoint |= {
            "itd_rule": endpoint.get("itd_rule", "failed_as_error"),
            "interval": endpoint.get("interval", {"method": "auto", "level": 0.95}),
        }
    document["reference_standard"]["equivocal_rule"] = "exclude"
    document["subgroups"] = [
        one | {"attribute": "sex"} for one in document["subgroups"] if one["attribute"] == "sex"
    ]
    return document | {"resamples": 200} | changes


def runs(mask: np.ndarray) -> list[int]:
    found = encode_runs(mask.astype(np.uint8))
    return [] if 1 not in found else found[1].reshape(-1).tolist()


def mask_outputs(masks: Mapping[str, np.ndarray], **frame: Any) -> Outputs:
    labels = {name: runs(mask) for name, mask in masks.items()}
    return {"mask": {"size": list(SIZE), "spacing": list(SPACING), "labels": labels} | frame}


def box(low: int, high: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=np.uint8)
    mask[1:5, low:high, 2:6] = 1
    return mask


def segmentation(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """A liver that is one column too short or not, a tumour of one voxel or none."""
    liver, spot = box(1, 7), np.zeros(SIZE, dtype=np.uint8)
    spot[2, 3, 3] = draw.integers(2)
    found = box(1, int(draw.integers(5, 8)))
    return mask_outputs({"liver": liver, "tumour": spot}), mask_outputs(
        {"liver": found, "tumour": spot}
    )


NAMES = ("sella", "nasion", "pogonion")


def landmarks(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """Three points, each off by up to 3 mm, coordinates in tenths of a millimetre."""
    places = np.array([[200.0, 300.0], [900.0, 250.0], [800.0, 900.0]])
    off = draw.uniform(-15, 15, places.shape)
    return points(places), points(places + off)


def points(places: np.ndarray, **more: Any) -> Outputs:
    return {
        "points": [
            {"name": name, "point": place.tolist()} | more
            for name, place in zip(NAMES, places, strict=False)
        ]
    }


def registration(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """A shift along x that is off by up to 4 mm."""
    fixed = draw.uniform(0, 50, (3, 3))
    moving = fixed + np.array([10.0, 0.0, 0.0])
    both = [
        {"name": name, "point": place.tolist(), "category": side}
        for side, places in (("fixed", fixed), ("moving", moving))
        for name, place in zip(NAMES, places, strict=True)
    ]
    matrix = np.eye(4)
    matrix[0, 3] = 10 + draw.uniform(-4, 4)
    return {"points": both}, {"transform": {"matrix": matrix.tolist()}}


def image_to_image(draw: np.random.Generator) -> tuple[Outputs, Outputs]:
    """A slice of 12 by 14, off by noise and by 20 HU within the body."""
    truth = draw.normal(0, 100, (12, 14))
    body = np.zeros((12, 14), dtype=np.uint8)
    body[3:9, 4:10] = 1
    truth = np.round(truth)
    made = np.round(truth + 20 * body + draw.normal(0, 5, truth.shape))
    region = {"mask": {"size": [12, 14], "labels": {"body": runs(body)}}}
    return picture(truth) | region, picture(made)


def picture(image: np.ndarray) -> Outputs:
    return {"image": {"size": list(image.shape), "pixels": image.ravel().tolist()}}


MAKERS: Mapping[str, Callable[[np.random.Generator], tuple[Outputs, Outputs]]] = {
    "segmentation": segmentation,
    "landmarks": landmarks,
    "registration": registration,
    "image_to_image": image_to_image,
}
TARGETS: Mapping[str, Sequence[str]] = {"segmentation": ("liver", "tumour"), "landmarks": NAMES}


def made(task: str, n: int = 40, *, failures: int = 2, rows: int = 1, **replaced: Outputs) -> Made:
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
    manifest = {"task": {"kind": task, "targets": list(TARGETS.get(task, ()))}}
    names = {name: name for name in case}
    return manifest, observations_from_predictions(predictions, names, reference), reference


def with_reference(reference: pa.Table, case: int, outputs: Outputs) -> pa.Table:
    """The same cohort with another reference standard for one case."""
    column = reference["reference_outputs"].to_pylist()
    column[case] = canonical_bytes(outputs).decode()
    place = reference.column_names.index("reference_outputs")
    return reference.set_column(place, "reference_outputs", pa.array(column, pa.string()))
