"""proctor.toml: what a vendor declares about a model version, not whether a study allows it.

Everything wrong is told at once, each with its line and its cure, without a network.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.errors import Problem, ProctorSdkError
from proctor_sdk.manifest_check import ManifestCheck
from proctor_sdk.manifest_schema import SCHEMA
from proctor_sdk.outputs import TASKS
from proctor_sdk.toml_lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BINARY = "binary_classification"
LARGEST_TEXT = 256 * 1024


class ManifestError(ProctorSdkError):
    """The manifest cannot be accepted; `problems` says where and why."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        noun = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("manifest_invalid", f"{source} has {noun}.", problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Who made what; sealed from reviewers until they have signed."""

    name: str
    version: str
    vendor: str
    description: str
    training_data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Where the container image lies, relative to the manifest."""

    archive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the model decides: two classes, or the targets that it answers for, by name."""

    kind: str
    positive: str
    negative: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A decision rule, and how it was chosen: sealed with the protocol."""

    id: str
    threshold: float
    comparator: str
    target: str
    chosen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the model asks to see of a case; the cohort's terms grant it."""

    kind: str
    attributes: tuple[str, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the container needs; the study sets a ceiling."""

    memory_mb: int
    cpus: float
    gpu: bool
    tmp_mb: int
    seconds_per_case: float
    seconds_total: float
    start_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Indeterminate:
    """The reasons for which the model may decline to answer."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that has been checked: holding one is proof."""

    contract: str
    model: Model
    image: Image
    task: Task
    operating_points: tuple[OperatingPoint, ...]
    inputs: Inputs
    resources: Resources
    indeterminate: Indeterminate

    def as_dict(self) -> dict[str, Any]:
        """The JSON form, defaults filled in; its keys are those of proctor.toml."""
        document = asdict(self)
        document["operating_points"] = list(document["operating_points"])
        for table, key in (
            ("task", "targets"),
            ("inputs", "attributes"),
            ("inputs", "headers"),
            ("indeterminate", "reasons"),
        ):
            document[table][key] = list(document[table][key])
        return document

    @property
    def digest(self) -> str:
        """The digest of the canonical JSON form: the same for any layout of the TOML."""
        return digest(canonical_bytes(self.as_dict()))


def task_fields(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what task.json tells a model of the manifest's task."""
    if task["kind"] == BINARY:
        classes = [task["negative"], task["positive"]]
        return {"task": BINARY, "classes": classes, "positive": task["positive"]}
    return {"task": task["kind"], "targets": list(task.get("targets") or ())}


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest file; raises `ManifestError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProctorSdkError(
            "manifest_missing", f"There is no {path}.", cure="Write one with `proctor init`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProctorSdkError("manifest_unreadable", f"{path} cannot be read: {error}.") from error
    return parse_manifest(text, source=path.name)


def parse_manifest(text: str, source: str = "proctor.toml") -> Manifest:
    """Check the text of a manifest; raises `ManifestError` with every problem and its line."""
    document = _read_toml(text, source)
    check = ManifestCheck(source, key_lines(text))
    clean = check.table("", document, SCHEMA)
    if not check.problems:
        _check_together(check, clean)
    if check.problems:
        raise ManifestError(source, sorted(check.problems, key=lambda p: p.line or 0))
    return manifest_from_dict(clean)


def manifest_from_dict(document: Mapping[str, Any]) -> Manifest:
    """The manifest of a JSON form that `as_dict` made: of trusted origin, not checked again."""
    return Manifest(
        contract=document["contract"],
        model=Model(**document["model"]),
        image=Image(**document["image"]),
        task=Task(**document["task"] | {"targets": tuple(document["task"]["targets"])}),
        operating_points=tuple(OperatingPoint(**p) for p in document["operating_points"]),
        inputs=Inputs(
            kind=document["inputs"]["kind"],
            attributes=tuple(document["inputs"]["attributes"]),
            headers=tuple(document["inputs"]["headers"]),
        ),
        resources=Resources(**document["resources"]),
        indeterminate=Indeterminate(reasons=tuple(document["indeterminate"]["reasons"])),
    )


def _read_toml(text: str, source: str) -> dict[str, Any]:
    if len(text) > LARGEST_TEXT:
        problem = Problem(source=source, what="is longer than 256 KiB", cure="Shorten the texts.")
        raise ManifestError(source, [problem])
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what, line = _syntax(str(error))
        cure = "Texts stand in quotes, lists in [ ], each key once."
        problem = Problem(source=source, line=line, what=what, cure=cure)
        raise ManifestError(source, [problem]) from error


def _syntax(message: str) -> tuple[str, int | None]:
    """Take tomllib's sentence apart: what, and the line it names at its end."""
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if not place:
        return f"is not TOML: {message}", None
    return f"is not TOML: {message[: place.start()]} (column {place[2]})", int(place[1])


def _check_together(check: ManifestCheck, clean: dict[str, Any]) -> None:
    """What single keys cannot show."""
    _check_task(check, clean["task"])
    seen: set[str] = set()
    for index, point in enumerate(clean["operating_points"]):
        if point["id"] in seen:
            field = f"operating_points[{index}].id"
            check.report(field, f'"{point["id"]}" stands twice', "Give each its own id.")
        seen.add(point["id"])
        _check_target(check, clean["task"], point["target"], f"operating_points[{index}].target")
    if clean["inputs"]["headers"] and clean["inputs"]["kind"] != "dicom":
        check.report("inputs.headers", "are asked for without DICOM", 'Set kind = "dicom".')
    if clean["resources"]["seconds_per_case"] > clean["resources"]["seconds_total"]:
        what = "is longer than resources.seconds_total"
        check.report("resources.seconds_per_case", what, "Raise seconds_total.")


def _check_task(check: ManifestCheck, task: Mapping[str, Any]) -> None:
    """Two classes for a binary task, targets for one that answers by name."""
    if task["kind"] == BINARY:
        _check_classes(check, task)
        return
    for key in ("positive", "negative"):
        if task[key]:
            check.report(f"task.{key}", f"belongs to {BINARY} only", "Name the targets instead.")
    named = TASKS[task["kind"]].targets
    if named and not task["targets"]:
        check.report("task.kind", "needs names", f"Add targets = [...]: its {named}.")
    if not named and task["targets"]:
        check.report("task.targets", f"are not for {task['kind']}", "Leave targets out.")
    if len(set(task["targets"])) < len(task["targets"]):
        check.report("task.targets", "names one twice", "Write each name once.")


def _check_classes(check: ManifestCheck, task: Mapping[str, Any]) -> None:
    for key, example in (("positive", "died"), ("negative", "survived")):
        if not task[key]:
            cure = f'Add it to [task], for example {key} = "{example}".'
            check.report(f"task.{key}", "is missing", cure)
    if task["positive"] and task["positive"] == task["negative"]:
        check.report("task.negative", "is the positive class too", "Name two different classes.")
    if task["targets"]:
        check.report("task.targets", "are not for two classes", "Leave targets out.")


def _check_target(check: ManifestCheck, task: Mapping[str, Any], target: str, field: str) -> None:
    if task["kind"] == BINARY and target:
        check.report(field, f"is not for {BINARY}", "Leave target out.")
    by_target = task["kind"] in {"multiclass_classification", "multilabel_classification"}
    if task["kind"] != BINARY and target not in task["targets"] and (target or by_target):
        check.report(field, "is none of the task's targets", "Name one of task.targets.")
