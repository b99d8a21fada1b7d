"""The tagged outputs of an answer: what each tag may hold. Standard library only.

Which tags a kind of task asks for stands in `TASKS`; the reference standard of a case is written in
the same tags, with `event` and `series` beside them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.reasons import ReasonCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST_PARTS = 10_000  # boxes, points, instances or horizon steps of one case
MOST_LEVELS = 199  # quantiles of one forecast
LARGEST_NUMBER = 1e30  # in any unit; beyond it squares and cubes leave the range of a double
LONGEST_LINE = 1 << 20
LONGEST_ARRAY_LINE = 32 << 20  # of a task that answers with masks, images or fields


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """What answers of a kind of task are made of.

    `required`: one of these tags stands in every answer with status ok. `targets`: what the names
    in the manifest's `targets` are; empty if the kind has none.
    """

    tags: frozenset[str]
    required: frozenset[str]
    targets: str = ""
    arrays: bool = False


def _shape(required: str, tags: str = "", *, targets: str = "", arrays: bool = False) -> TaskShape:
    needed = frozenset(required.split())
    return TaskShape(
        tags=needed | frozenset(tags.split()), required=needed, targets=targets, arrays=arrays
    )


TASKS: Mapping[str, TaskShape] = {
    "binary_classification": _shape("scores", "call"),
    "multiclass_classification": _shape("scores category", targets="classes"),
    "multilabel_classification": _shape("scores", "call", targets="labels"),
    "ordinal_classification": _shape("category scores", targets="categories, in order"),
    "detection": _shape("boxes points", "call", targets="classes of findings"),
    "instance_segmentation": _shape("mask", targets="classes of instances", arrays=True),
    "segmentation": _shape("mask", targets="structures", arrays=True),
    "regression": _shape("value", "interval", targets="quantities"),
    "survival": _shape("survival"),
    "forecasting": _shape("forecast"),
    "landmarks": _shape("points", targets="landmarks"),
    "registration": _shape("transform", arrays=True),
    "image_to_image": _shape("image", arrays=True),
}
OUTPUT_TAGS = (
    "call", "scores", "category", "boxes", "points", "mask", "value",
    "survival", "forecast", "transform", "image", "text", "interval",
)  # fmt: skip
REFERENCE_TAGS = (*OUTPUT_TAGS, "event", "series")
_LEVEL = re.compile(r"0?\.[0-9]{1,8}")


class OutputInvalidError(ProctorSdkError):
    """A line does not follow the contract; the message never holds a value of a case."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(ReasonCode.OUTPUT_INVALID, message, cure=cure)


def longest_line(kind: str) -> int:
    """How many bytes one answer of this kind of task may have."""
    shape = TASKS.get(kind)
    return LONGEST_ARRAY_LINE if shape is not None and shape.arrays else LONGEST_LINE


def check_outputs(
    outputs: Mapping[str, Any], names: Sequence[str], points: Sequence[str] | None = None
) -> None:
    """Check every tag's content; `names` are classes or targets, `points` operating points.

    Empty `names` allow any name, None for `points` any operating point: a reference standard's
    names are checked against the protocol later.

    Raises:
        OutputInvalidError: a content is not of its tag's form.
    """
    for tag, content in outputs.items():
        if tag == "call":
            _call(content, points)
        elif tag in _CHECKS:
            _CHECKS[tag](content, frozenset(names))
        else:
            raise OutputInvalidError("An output has a tag the contract does not know.")


def _call(content: object, points: Sequence[str] | None) -> None:
    if not isinstance(content, dict) or (points is not None and not content.keys() <= set(points)):
        raise OutputInvalidError("Calls are not an object of this task's operating points.")
    if not all(isinstance(value, bool) for value in content.values()):
        raise OutputInvalidError("A call is neither true nor false.")


def _scores(content: object, names: frozenset[str]) -> None:
    if not isinstance(content, dict) or not _known(content, names):
        raise OutputInvalidError("Scores are not an object of this task's classes.")
    if not all(_number(value) for value in content.values()):
        raise OutputInvalidError("A score is not a finite number up to 1e30.")


def _category(content: object, names: frozenset[str]) -> None:
    if not isinstance(content, str) or not _known((content,), names):
        raise OutputInvalidError("A category is none of this task's classes.")


def _boxes(content: object, names: frozenset[str]) -> None:
    for part in _parts(content, {"box", "score", "category"}, names):
        box = _numbers(part.get("box"), "A box")
        half = len(box) // 2
        if len(box) not in {4, 6} or any(
            low >= high for low, high in zip(box[:half], box[half:], strict=True)
        ):
            raise OutputInvalidError(
                "A box is not [x0, y0, x1, y1] or [x0, y0, z0, x1, y1, z1] with x0 < x1 and so on."
            )


def _points(content: object, names: frozenset[str]) -> None:
    for part in _parts(content, {"point", "score", "category", "name"}, names):
        if len(_numbers(part.get("point"), "A point")) not in {2, 3}:
            raise OutputInvalidError("A point is not [x, y] or [x, y, z].")


def _parts(content: object, fields: set[str], names: frozenset[str]) -> list[Mapping[str, Any]]:
    if not isinstance(content, list) or len(content) > MOST_PARTS:
        raise OutputInvalidError(f"Boxes, points or instances are no list of at most {MOST_PARTS}.")
    for part in content:
        if not isinstance(part, dict) or not part.keys() <= fields:
            raise OutputInvalidError(f"A part has other fields than {', '.join(sorted(fields))}.")
        if "score" in part and not _number(part["score"]):
            raise OutputInvalidError("A score is not a finite number up to 1e30.")
        for key in ("category", "name"):
            if key in part and not _known((part[key],), names):
                raise OutputInvalidError(f"A {key} is none of this task's targets.")
    return content


def _mask(content: object, names: frozenset[str]) -> None:
    cells, fields = _sized(content, {"labels", "instances"})
    labels, instances = fields.get("labels"), fields.get("instances")
    if (labels is None) == (instances is None):
        raise OutputInvalidError("A mask has either labels or instances.")
    if labels is not None:
        if not isinstance(labels, dict) or not _known(labels, names):
            raise OutputInvalidError("A mask's labels are not an object of this task's targets.")
        runs = list(labels.values())
    else:
        runs = [
            part.get("runs") for part in _parts(instances, {"runs", "score", "category"}, names)
        ]
    for one in runs:
        _runs(one, cells)


def _runs(content: object, cells: int) -> None:
    """Runs are start, length, start, length …, ascending, apart, inside."""
    if not isinstance(content, list) or len(content) % 2:
        raise OutputInvalidError("A mask's runs are not start, length, start, length.")
    place = 0
    for start, length in zip(content[::2], content[1::2], strict=True):
        if type(start) is not int or type(length) is not int or start < place or length < 1:
            raise OutputInvalidError("A mask's runs do not ascend, or one is empty.")
        place = start + length
    if place > cells:
        raise OutputInvalidError("A mask's runs go beyond its size.")


def _values(content: object, names: frozenset[str]) -> None:
    if not isinstance(content, dict) or not _known(content, names):
        raise OutputInvalidError("Values are not an object of this task's quantities.")
    if not all(_number(value) for value in content.values()):
        raise OutputInvalidError("A value is not a finite number up to 1e30.")


def _intervals(content: object, names: frozenset[str]) -> None:
    if not isinstance(content, dict) or not _known(content, names):
        raise OutputInvalidError("Intervals are not an object of this task's quantities.")
    for limits in content.values():
        pair = _numbers(limits, "An interval")
        if len(pair) != 2 or pair[0] > pair[1]:
            raise OutputInvalidError("An interval is not [lower, upper].")


def _survival(content: object, names: frozenset[str]) -> None:
    del names
    fields = _fields(content, {"risk", "times", "probabilities"}, "A survival output")
    if "risk" in fields and not _number(fields["risk"]):
        raise OutputInvalidError("A risk is not a finite number up to 1e30.")
    times = _numbers(fields.get("times", []), "Survival times")
    chances = _numbers(fields.get("probabilities", []), "Survival probabilities")
    if len(times) != len(chances) or any(left >= right for left, right in pairwise(times)):
        raise OutputInvalidError("Survival times do not ascend, or have not a probability each.")
    if times and times[0] < 0:
        raise OutputInvalidError("A survival time lies before 0.")
    if any(not 0 <= chance <= 1 for chance in chances):
        raise OutputInvalidError("A survival probability lies outside 0 to 1.")
    if any(left < right for left, right in pairwise(chances)):
        raise OutputInvalidError("A survival probability rises with time.")
    if "risk" not in fields and not times:
        raise OutputInvalidError("A survival output has neither risk nor probabilities.")


def _forecast(content: object, names: frozenset[str]) -> None:
    del names
    fields = _fields(content, {"mean", "quantiles"}, "A forecast")
    lengths = set()
    if "mean" in fields:
        lengths.add(len(_numbers(fields["mean"], "A forecast's mean")))
    quantiles = fields.get("quantiles", {})
    if not isinstance(quantiles, dict) or len(quantiles) > MOST_LEVELS:
        raise OutputInvalidError(f"Quantiles are not an object of at most {MOST_LEVELS} levels.")
    for level, values in quantiles.items():
        if not _is_level(level):
            raise OutputInvalidError('A quantile is not named by its level, such as "0.1".')
        lengths.add(len(_numbers(values, "A quantile")))
    if len({float(level) for level in quantiles}) < len(quantiles):
        raise OutputInvalidError('A quantile is given twice, as "0.1" and "0.10".')
    if len(lengths) != 1 or 0 in lengths:
        raise OutputInvalidError("A forecast's mean and quantiles have not one common length.")


def _transform(content: object, names: frozenset[str]) -> None:
    del names
    fields = _fields(content, {"matrix", "displacement"}, "A transform")
    if len(fields) != 1:
        raise OutputInvalidError("A transform is either a matrix or a displacement.")
    if "matrix" in fields:
        matrix = fields["matrix"]
        if not isinstance(matrix, list) or len(matrix) not in {3, 4}:
            raise OutputInvalidError("A matrix is not 3 by 3 or 4 by 4.")
        if any(len(_numbers(row, "A matrix's row")) != len(matrix) for row in matrix):
            raise OutputInvalidError("A matrix is not square.")
        return
    cells, field = _sized(fields["displacement"], {"vectors"})
    size = field["size"]
    if len(_numbers(field.get("vectors"), "A displacement")) != cells * len(size):
        raise OutputInvalidError("A displacement has not one vector for each cell.")


def _image(content: object, names: frozenset[str]) -> None:
    del names
    cells, fields = _sized(content, {"pixels"})
    if len(_numbers(fields.get("pixels"), "An image")) != cells:
        raise OutputInvalidError("An image has not one number for each pixel.")


def _event(content: object, names: frozenset[str]) -> None:
    del names
    fields = _fields(content, {"time", "observed"}, "An event")
    time = fields.get("time", -1)
    if not _number(time) or time < 0 or not isinstance(fields.get("observed"), bool):
        raise OutputInvalidError('An event is not {"time": t, "observed": true or false}, t >= 0.')


def _series(content: object, names: frozenset[str]) -> None:
    del names
    fields = _fields(content, {"values", "history"}, "A series")
    if not _numbers(fields.get("values"), "A series"):
        raise OutputInvalidError("A series has no values.")
    _numbers(fields.get("history", []), "A series' history")


def _sized(content: object, fields: set[str]) -> tuple[int, Mapping[str, Any]]:
    found = _fields(content, {"size", "spacing"} | fields, "A mask, image or field")
    size = found.get("size")
    if not isinstance(size, list) or len(size) not in {2, 3}:
        raise OutputInvalidError("A size is not [rows, columns] or [slices, rows, columns].")
    if any(type(side) is not int or not 0 < side <= 1 << 16 for side in size):
        raise OutputInvalidError("A size is not made of whole numbers from 1 to 65536.")
    if "spacing" in found:
        spacing = _numbers(found["spacing"], "A spacing")
        if len(spacing) != len(size) or any(step <= 0 for step in spacing):
            raise OutputInvalidError("A spacing is not one length above 0 for each side, in mm.")
    return math.prod(size), found


def _fields(content: object, fields: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict) or not content or not content.keys() <= fields:
        raise OutputInvalidError(f"{what} is no object of {', '.join(sorted(fields))}.")
    return content


def _numbers(content: object, what: str) -> list[float]:
    if not isinstance(content, list) or not all(_number(value) for value in content):
        raise OutputInvalidError(f"{what} is no list of finite numbers up to 1e30.")
    return content


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST_NUMBER <= value <= LARGEST_NUMBER  # NaN is not, and an integer may be any size


def _is_level(text: str) -> bool:
    return _LEVEL.fullmatch(text) is not None and float(text) > 0


def _known(names: object, allowed: frozenset[str]) -> bool:
    if not isinstance(names, dict | tuple):
        return False
    return all(isinstance(name, str) for name in names) and (
        not allowed or frozenset(names) <= allowed
    )


_CHECKS: Mapping[str, Callable[[object, frozenset[str]], None]] = {
    "scores": _scores,
    "category": _category,
    "boxes": _boxes,
    "points": _points,
    "mask": _mask,
    "value": _values,
    "interval": _intervals,
    "survival": _survival,
    "forecast": _forecast,
    "transform": _transform,
    "image": _image,
    "event": _event,
    "series": _series,
}
