"""The kinds of task that can be measured."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.kinds.base import Kind
from proctor_workers.kinds.binary import BinaryClassification

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (BinaryClassification(),)}


def kind_of(protocol: Mapping[str, Any]) -> Kind:
    """Return the protocol's kind of task.

    Raises:
        InvalidInputError: it is not one that can be measured.
    """
    task = protocol.get("task", BinaryClassification.name)
    if task not in KINDS:
        raise InvalidInputError(
            f"The task '{task}' cannot be measured.",
            cure="Use one of: " + ", ".join(sorted(KINDS)) + ".",
        )
    return KINDS[task]
