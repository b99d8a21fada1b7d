"""The loop of a model's program under contract proctor/v1; stdlib only, to import or to copy.

from proctor_sdk.runtime import answer, cases

model = load()                      # once
for case in cases():                # waits for the next case, ends after {"end": true}
    answer(case, scores={"died": model.score(case.inputs)})
"""

import json
import time
from collections.abc import Iterator, Mapping
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
    scores: Mapping[str, float] | None = None,
    call: Mapping[str, bool] | None = None,
    status: str = "ok",
    reason: str | None = None,
    root: Path = OUTPUT,
) -> None:
    """Write the answer to a case and flush it, so that the next case appears.

    Args:
        case: the case that is answered.
        scores: a finite number for each class that is scored.
        call: the device's own decision at each operating point, where it makes one.
        status: "ok", "indeterminate" (with a reason the manifest declares) or "failed".
        reason: why there is no answer.
        root: where the predictions go.
    """
    outputs: dict[str, Any] = {}
    if scores is not None:
        outputs["scores"] = {name: float(value) for name, value in scores.items()}
    if call is not None:
        outputs["call"] = {name: bool(value) for name, value in call.items()}
    line = {"case": case.name, "status": status, "reason": reason, "outputs": outputs}
    with (root / "predictions.jsonl").open("a") as stream:
        stream.write(json.dumps(line, allow_nan=False) + "\n")


def _next_line(stream: TextIO) -> str:
    """Wait for a whole line: at first briefly, then less and less often."""
    text, wait = "", SHORTEST_WAIT_S
    while True:
        text += stream.readline()
        if text.endswith("\n"):
            return text
        time.sleep(wait)
        wait = min(wait * 1.25, LONGEST_WAIT_S)
