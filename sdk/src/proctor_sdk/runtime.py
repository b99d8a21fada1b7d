"""The loop of a model's program under contract proctor/v1; stdlib only, to import or to copy.

from proctor_sdk.runtime import answer, cases

model = load()                      # once
for case in cases():                # waits for the next case, ends after {"end": true}
    answer(case, scores={"died": model.score(case.inputs)})
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

INPUT = Path("/input")
OUTPUT = Path("/output")
SHORTEST_WAIT_S = 0.0001
LONGEST_WAIT_S = 0.02


@dataclass(frozen=True)
class CaseFile:
    """One file of a case: where it lies and which part it plays."""

    path: Path
    role: str


@dataclass(frozen=True)
class Case:
    """One case: its name for this run, its files, its inputs."""

    name: str
    files: tuple[CaseFile, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)


def task(root: Path = INPUT) -> dict[str, Any]:
    """Return task.json: classes, positive class, operating points, units."""
    document: dict[str, Any] = json.loads((root / "task.json").read_text())
    return document


def cases(root: Path = INPUT) -> Iterator[Case]:
    """Yield each case as soon as it may be seen; the next one appears once this one is answered."""
    with (root / "cases.jsonl").open() as stream:
        while True:
            line = json.loads(_next_line(stream))
            if line.get("end"):
                return
            files = (CaseFile(root / file["path"], file["role"]) for file in line.get("files", ()))
            yield Case(line["case"], tuple(files), line.get("inputs", {}))


def answer(
    case: Case,
    *,
    status: str = "ok",
    reason: str | None = None,
    root: Path = OUTPUT,
    **outputs: Any,
) -> None:
    """Write the answer to a case and flush it, so that the next case appears.

    Args:
        case: the case that is answered.
        status: "ok", "indeterminate" (with a reason the manifest declares) or "failed".
        reason: why there is no answer.
        root: where the predictions go.
        outputs: what the task asks for, by its tag: `scores={"died": 0.2}`, `category="benign"`,
            `boxes=[…]`, `mask=mask_of(…)`, … (container contract). NumPy numbers and arrays are
            written as plain ones.
    """
    said = {tag: _plain(content) for tag, content in outputs.items() if content is not None}
    line = {"case": case.name, "status": status, "reason": reason, "outputs": said}
    with (root / "predictions.jsonl").open("a") as stream:
        stream.write(json.dumps(line, allow_nan=False) + "\n")


def mask_of(
    labels: Mapping[str, Iterable[Any]], size: Sequence[int], spacing: Sequence[float] | None = None
) -> dict[str, Any]:
    """Return a segmentation as runs: for each label, its pixels in C order, true or false.

    Args:
        labels: name to pixels: `{"tumour": array}`, or any flat sequence in row order.
        size: rows and columns, or slices, rows and columns.
        spacing: millimetres a pixel along each side, where the input does not say it.
    """
    mask: dict[str, Any] = {
        "size": [int(side) for side in size],
        "labels": {name: runs_of(pixels) for name, pixels in labels.items()},
    }
    return mask if spacing is None else mask | {"spacing": [float(step) for step in spacing]}


def runs_of(pixels: Iterable[Any]) -> list[int]:
    """Return the runs of true pixels: each run's start and length, in one list.

    An array of any shape is taken in row order.
    """
    if hasattr(pixels, "ravel"):
        pixels = pixels.ravel().tolist()
    runs: list[int] = []
    open_run = False
    place = -1
    for place, pixel in enumerate(pixels):
        if pixel and not open_run:
            runs += [place, 0]
        open_run = bool(pixel)
        if open_run:
            runs[-1] += 1
    return runs


def _plain(content: Any) -> Any:
    """Return what JSON can write: NumPy's arrays and numbers by their own method."""
    if hasattr(content, "tolist"):
        return content.tolist()
    if isinstance(content, Mapping):
        return {str(name): _plain(part) for name, part in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(part) for part in content]
    return content


def _next_line(stream: TextIO) -> str:
    """Wait for a whole line: at first briefly, then less and less often."""
    text, wait = "", SHORTEST_WAIT_S
    while True:
        text += stream.readline()
        if text.endswith("\n"):
            return text
        time.sleep(wait)
        wait = min(wait * 1.25, LONGEST_WAIT_S)
