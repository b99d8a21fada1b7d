"""`proctor init`: writes a manifest, an example model and a Containerfile; overwrites nothing."""

import argparse
import json

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.manifest import BINARY
from proctor_sdk.manifest_schema import SCHEMA, Array, Key, Table
from proctor_sdk.outputs import TASKS

_MODEL = '''"""An example under contract proctor/v1: replace `load` and `outputs`."""

import math
from collections.abc import Mapping
from typing import Any

from proctor_sdk.runtime import Case, answer, cases{imported}


def load() -> Mapping[str, float]:
    """Return the model; it is loaded once, before the first case."""
    return {{"intercept": -4.0, "age": 0.05}}


def outputs(model: Mapping[str, float], case: Case) -> dict[str, Any]:
    """Return what the task asks for, by its tag."""
    age = float(case.inputs["age"])
    risk = 1 / (1 + math.exp(-(model["intercept"] + model["age"] * age)))
    return {outputs}


def main() -> None:
    """Answer every case; a case the model cannot score is answered "failed", never skipped."""
    model = load()
    for case in cases():
        try:
            answer(case, **outputs(model, case))
        except (KeyError, TypeError, ValueError) as error:
            answer(case, status="failed", reason=type(error).__name__)


if __name__ == "__main__":
    main()
'''
# For each kind of task: its targets, and what an example answers.
_EXAMPLES = {
    "binary_classification": ((), '{"scores": {"died": risk}}'),
    "multiclass_classification": (
        ("benign", "malignant"),
        '{"scores": {"benign": 1 - risk, "malignant": risk}}',
    ),
    "multilabel_classification": (
        ("oedema", "effusion"),
        '{"scores": {"oedema": risk, "effusion": risk / 2}}',
    ),
    "ordinal_classification": (
        ("none", "mild", "severe"),
        '{"category": ("none", "mild", "severe")[min(2, int(3 * risk))]}',
    ),
    "detection": (
        ("nodule",),
        '{"boxes": [{"box": [10, 20, 30, 40], "score": risk, "category": "nodule"}]}',
    ),
    "instance_segmentation": (
        ("cell",),
        (
            '{"mask": {"size": [8, 8], "instances": [{"runs": [9, 3], "score": risk, '
            '"category": "cell"}]}}'
        ),
    ),
    "segmentation": (
        ("tumour",),
        '{"mask": mask_of({"tumour": [risk > 0.5] * 64}, size=[8, 8])}',
    ),
    "regression": (("ejection_fraction",), '{"value": {"ejection_fraction": 70 - 20 * risk}}'),
    "survival": (
        (),
        (
            '{"survival": {"risk": risk, "times": [365, 730], '
            '"probabilities": [1 - risk / 2, 1 - risk]}}'
        ),
    ),
    "forecasting": ((), '{"forecast": {"mean": [risk, risk], "quantiles": {"0.9": [1.0, 1.0]}}}'),
    "landmarks": (("apex",), '{"points": [{"name": "apex", "point": [12.0, 20.5]}]}'),
    "registration": (
        (),
        '{"transform": {"matrix": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}}',
    ),
    "image_to_image": ((), '{"image": {"size": [1, 2], "pixels": [risk, 1 - risk]}}'),
}

_CONTAINERFILE = """# Build and save (podman):
#   podman build -t my-model . && podman save --format oci-archive -o image.tar my-model
# Build and save (docker):
#   docker build -t my-model -f Containerfile . && docker save -o image.tar my-model
# Then: proctor check, proctor submit --study STUDY
FROM docker.io/library/python:3.11-slim
RUN pip install --no-cache-dir proctor-sdk
COPY model.py /app/model.py
# The sandbox has no network, a read-only root and this user; only /tmp and /output are writable.
USER 65532:65532
ENTRYPOINT ["python", "/app/model.py"]
"""


def run(arguments: argparse.Namespace) -> int:
    """Write the three files into the folder."""
    folder = arguments.folder
    files = {
        "proctor.toml": manifest_text(arguments.task),
        "model.py": model_text(arguments.task),
        "Containerfile": _CONTAINERFILE,
    }
    if present := [name for name in files if (folder / name).exists()]:
        raise ProctorSdkError(
            "file_exists",
            f"{', '.join(present)} already in {folder.resolve()}.",
            cure="Give another folder: `proctor init my-model`.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote {folder / name}")
    print("Next: fill in proctor.toml, build as the Containerfile says, then `proctor check`.")
    return 0


def model_text(task: str) -> str:
    """Return an example program that answers a kind of task."""
    answered = _EXAMPLES[task][1]
    imported = ", mask_of" if "mask_of" in answered else ""
    return _MODEL.format(outputs=answered, imported=imported)


def manifest_text(task: str = BINARY) -> str:
    """Return an example manifest of a kind of task, with the meaning of each key above it."""
    lines = ["# What you declare about a model version. Every key: docs/reference/manifest.md"]
    tables = {name: entry for name, entry in SCHEMA.keys.items() if not isinstance(entry, Key)}
    lines += _keys(Table(keys={n: k for n, k in SCHEMA.keys.items() if isinstance(k, Key)}), task)
    for name, entry in tables.items():
        if name == "operating_points" and not _has_points(task):
            continue
        lines += ["", f"# {entry.meaning}"]
        if isinstance(entry, Array):
            lines += [f"[[{name}]]", *_keys(entry.table, task)]
        else:
            lines += [f"[{name}]", *_keys(entry, task)]
    return "\n".join(lines) + "\n"


def _has_points(task: str) -> bool:
    return bool({"call", "scores"} & TASKS[task].tags)


def _keys(table: Table, task: str) -> list[str]:
    targets = _EXAMPLES[task][0]
    examples = {
        "kind": f'"{task}"' if "targets" in table.keys else None,
        "targets": json.dumps(list(targets)),
        "target": f'"{targets[0]}"' if targets else None,
    }
    left_out = {"targets", "target"} if task == BINARY else {"positive", "negative"}
    left_out |= set() if targets else {"targets", "target"}
    lines = []
    for name, key in table.keys.items():
        if isinstance(key, Key) and name not in left_out:
            # DICOM headers do not fit the table study of the example.
            off = "# " if name == "headers" else ""
            lines += [f"# {key.meaning}", f"{off}{name} = {examples.get(name) or key.example}"]
    return lines
