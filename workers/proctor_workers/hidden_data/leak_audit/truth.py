"""Reads from the reference standard what a leak would give away: yes-or-no questions of each case.

A category is asked one against the rest, a number against its median, a list of lesions or a mask
by whether it is empty.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.statistics.arrays import Bools, Ints

MOST_QUESTIONS = 8
FEWEST_PATIENTS = 5  # of each answer: with fewer, no permutation is rare enough
FEW_VALUES = 6  # numbers with up to so many values are grades, each a class of its own
LONGEST_NAME = 40

Value = str | float | bool | None
Answers = Mapping[str, Value]


def answers_of(case: IngestedCase) -> Answers:
    """Return what the reference standard says of a case, by name; nothing if it says nothing."""
    row = case.case.row
    if row.reference_status == "missing":
        return {}
    if row.reference_value is not None:
        return {"": _number_or_word(row.reference_value)}
    outputs = case.case.reference_outputs
    return {} if outputs is None else _flat(json.loads(outputs))


def questions(answers: Sequence[Answers], patients: Ints) -> dict[str, Bools]:
    """Return yes-or-no questions about the cases, by name, each with enough patients either way.

    Args:
        answers: for each case, as of `answers_of`.
        patients: for each case, the number of its patient.
    """
    names = sorted({name for one in answers for name in one})
    found = {
        asked: yes
        for name in names
        for asked, yes in _asked(name, [one.get(name) for one in answers]).items()
        if min(len(np.unique(patients[yes])), len(np.unique(patients[~yes]))) >= FEWEST_PATIENTS
    }
    # The most even questions tell most.
    ranked = sorted(found, key=lambda one: (-min(found[one].sum(), (~found[one]).sum()), one))
    return {name: found[name] for name in ranked[:MOST_QUESTIONS]}


def _asked(name: str, values: Sequence[Value]) -> dict[str, Bools]:
    present = [value for value in values if value is not None]
    numbers = [float(value) for value in present if isinstance(value, float | bool)]
    subject = name or "the reference value"
    if len(numbers) == len(present) and len(set(numbers)) > FEW_VALUES:
        median = float(np.median(numbers))
        above = [isinstance(value, float) and value > median for value in values]
        return {f"whether {subject} lies above its median": np.array(above)}
    counted = Counter(_word(value) for value in values)
    classes = sorted(counted, key=lambda word: (-counted[word], word))
    if len(classes) == 2:  # one question says it all; ask for the rarer answer
        classes = classes[1:]
    elif len(classes) < 2:
        return {}
    return {
        f"whether {subject} is {word[:LONGEST_NAME]}": np.array(
            [_word(value) == word for value in values]
        )
        for word in classes
    }


def _word(value: Value) -> str:
    if value is None:
        return "not given"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _number_or_word(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if np.isfinite(number) else text


def _flat(outputs: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for tag, said in outputs.items():
        if isinstance(said, Mapping) and tag != "mask":
            found |= {f"{tag} {key}": _plain(value) for key, value in said.items()}
        else:
            found[tag] = _plain(said)
    return found


def _plain(said: Any) -> Value:
    if said is None or isinstance(said, bool | str):
        return said
    if isinstance(said, int | float):
        return float(said)
    return bool(said)  # lesions, runs, points: whether there are any
