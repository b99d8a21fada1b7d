"""The kinds of task that can be measured."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.kinds.base import Kind
from proctor_workers.kinds.binary import BinaryClassification
from proctor_workers.kinds.detection import Detection, InstanceSegmentation
from proctor_workers.kinds.forecasting import Forecasting
from proctor_workers.kinds.image_to_image import ImageToImage
from proctor_workers.kinds.landmarks import Landmarks
from proctor_workers.kinds.multiclass import MulticlassClassification
from proctor_workers.kinds.multilabel import MultilabelClassification
from proctor_workers.kinds.ordinal import OrdinalClassification
from proctor_workers.kinds.registration import Registration
from proctor_workers.kinds.regression import Regression
from proctor_workers.kinds.segmentation import Segmentation
from proctor_workers.kinds.survival import Survival

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        BinaryClassification(),
        MulticlassClassification(),
        MultilabelClassification(),
        OrdinalClassification(),
        Survival(),
        Regression(),
        Forecasting(),
        ImageToImage(),
        Landmarks(),
        Registration(),
        Segmentation(),
        Detection(),
        InstanceSegmentation(),
    )
}


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
