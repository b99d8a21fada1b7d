"""What `proctor init` writes is accepted, and its example answers as the contract has it."""

import json

import numpy as np
import pytest

from proctor_sdk.commands.init import manifest_text, model_text
from proctor_sdk.manifest import parse_manifest
from proctor_sdk.outputs import TASKS
from proctor_sdk.predictions import TaskSpec, parse_prediction
from proctor_sdk.runtime import Case, answer, mask_of


@pytest.mark.parametrize("task", TASKS)
def test_example_answers_as_its_manifest_promises(task, tmp_path):
    manifest = parse_manifest(manifest_text(task))
    names = manifest.task.targets or (manifest.task.negative, manifest.task.positive)
    spec = TaskSpec(kind=task, classes=names, positive=manifest.task.positive)
    program: dict[str, object] = {}
    exec(compile(model_text(task), "model.py", "exec"), program)  # noqa: S102 - our own template
    outputs = program["outputs"](program["load"](), Case("c1", (), {"age": 60}))
    answer(Case("c1"), root=tmp_path, **outputs)
    line = (tmp_path / "predictions.jsonl").read_bytes().strip()
    assert parse_prediction(line, task=spec).outputs == json.loads(line)["outputs"]


def test_mask_of_takes_arrays_of_any_shape_and_flat_sequences():
    pixels = np.array([[0, 1, 1], [1, 0, 0]])
    mask = mask_of({"a": pixels, "b": [0, 0, 0, 0, 0, 1]}, pixels.shape, spacing=(2, 1))
    assert mask == {
        "size": [2, 3], "labels": {"a": [1, 3], "b": [5, 1]}, "spacing": [2.0, 1.0],
    }  # fmt: skip
