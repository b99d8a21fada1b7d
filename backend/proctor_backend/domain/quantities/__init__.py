"""Every quantity that a protocol may name, by its name: the one vocabulary."""

from collections.abc import Mapping

from proctor_backend.domain.quantities import (
    binary,
    categories,
    detection,
    forecasting,
    geometry,
    images,
    readers,
    regression,
    risks,
    segmentation,
    survival,
)
from proctor_backend.domain.quantities.base import Parameter, Quantity

__all__ = ["QUANTITIES", "Parameter", "Quantity", "quantities_of"]

QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for module in (
        binary,
        categories,
        readers,
        regression,
        forecasting,
        risks,
        survival,
        segmentation,
        geometry,
        images,
        detection,
    )
    for quantity in module.QUANTITIES
}


def quantities_of(task: str) -> tuple[str, ...]:
    """Return the names of the quantities that a kind of task has."""
    return tuple(name for name, quantity in QUANTITIES.items() if task in quantity.tasks)
