"""Reads a reference standard that is more than one word: outputs as JSON, or a PNG label map."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from proctor_sdk.canonical import CanonicalError, canonical_bytes, strict_loads
from proctor_sdk.outputs import LONGEST_ARRAY_LINE, OutputInvalidError, check_outputs
from proctor_workers.hidden_data.canonical_file import Refusal

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PIXELS = 1 << 27
_MOST_VALUES = 255
_MOST_NUMBERS = 1 << 22  # in the runs of one mask: about what 32 MiB of JSON hold
_TOO_LARGE = Refusal("is larger than 2^27 pixels", "Cut it into several cases.")


def reference_outputs(content: bytes, labels: Mapping[str, str]) -> str | Refusal:
    """Return the canonical JSON of a reference file: a JSON object of outputs, or a PNG label map.

    `labels` names the values of a label map; 0 is background.
    """
    if content.startswith(_PNG):
        return _label_map(content, labels)
    return checked_outputs(content)


def checked_outputs(content: bytes) -> str | Refusal:
    """Return the canonical JSON of an object in the contract's tags, or what is wrong with it."""
    if len(content) > LONGEST_ARRAY_LINE:
        return Refusal("is larger than 32 MiB", "Give fewer or smaller parts.")
    try:
        outputs = strict_loads(content)
    except CanonicalError:
        return Refusal("is neither strict JSON nor a PNG", "Write one JSON object, UTF-8, no NaN.")
    if not isinstance(outputs, dict) or not outputs:
        return Refusal("is no JSON object of outputs", 'Write {"mask": …} or another known output.')
    try:
        check_outputs(outputs, ())
        return canonical_bytes(outputs).decode()
    except OutputInvalidError as error:
        return Refusal(f"is not as the contract has it: {error.message}", "Correct the file.")
    except CanonicalError:
        return Refusal(
            "holds an integer that is no double, or half a Unicode character", "Correct the file."
        )


def _label_map(content: bytes, labels: Mapping[str, str]) -> str | Refusal:
    pixels = _pixels(content)
    if isinstance(pixels, Refusal):
        return pixels
    values = [int(value) for value in np.unique(pixels) if value]
    if len(values) > _MOST_VALUES:
        return Refusal(f"holds more than {_MOST_VALUES} values", "Give instances as JSON.")
    if unknown := [value for value in values if str(value) not in labels]:
        return Refusal(
            f"holds the value {unknown[0]}, which has no name",
            "Name it under reference_labels in the cohort's description.",
        )
    runs: dict[str, list[int]] = {}
    for value in values:
        name = labels[str(value)]
        if name in runs:
            return Refusal("has two values of one name", "Give each value its own name.")
        runs[name] = _runs(pixels.ravel() == value)
        if sum(map(len, runs.values())) > _MOST_NUMBERS:
            return Refusal("is too finely speckled to be kept as runs", "Give fewer pixels.")
    mask = {"size": [int(side) for side in pixels.shape], "labels": runs}
    return canonical_bytes({"mask": mask}).decode()


def _pixels(content: bytes) -> NDArray[Any] | Refusal:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            if image.width * image.height > _MOST_PIXELS:
                return _TOO_LARGE
            if image.mode not in {"L", "P", "1", "I;16"}:
                return Refusal(
                    "is a PNG with colours, not a label map", "Save one grey value each."
                )
            return np.asarray(image)
    except Image.DecompressionBombError:
        return _TOO_LARGE
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Refusal("cannot be read as PNG", "Export it again.")


def _runs(inside: NDArray[np.bool_]) -> list[int]:
    """Return start, length, start, length … of the true stretches."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], inside.view(np.int8), [0]))))
    edges = edges[: _MOST_NUMBERS + 2]
    starts, ends = edges[::2], edges[1::2]
    runs: list[int] = np.column_stack([starts, ends - starts]).ravel().tolist()
    return runs
