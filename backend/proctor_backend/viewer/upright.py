"""Turns the slices of a volume as a radiologist sees them, whichever way a file stores them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

# On the screen columns run to the patient's left, or to the back in a sagittal slice; rows run to
# the back, or to the feet. In LPS: axis and sign for each plane, by the axis across the slices.
_ACROSS = {0: (1, 1.0), 1: (0, 1.0), 2: (0, 1.0)}
_DOWN = {0: (2, -1.0), 1: (2, -1.0), 2: (1, 1.0)}

Slices = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """How slices are turned: rows and columns exchanged first, then mirrored."""

    exchanged: bool = False
    rows_mirrored: bool = False
    columns_mirrored: bool = False

    @classmethod
    def upright(cls, affine: npt.NDArray[np.float64]) -> Self:
        """Return the turn for an affine from (column, row, slice, 1) to LPS, 4 × 4."""
        columns, rows, slices = (affine[:3, axis] for axis in range(3))
        plane = int(np.argmax(np.abs(slices)))
        across, sign_across = _ACROSS[plane]
        down, sign_down = _DOWN[plane]
        exchanged = abs(columns[across]) < abs(rows[across])
        if exchanged:
            columns, rows = rows, columns
        return cls(
            exchanged=bool(exchanged),
            rows_mirrored=bool(rows[down] * sign_down < 0),
            columns_mirrored=bool(columns[across] * sign_across < 0),
        )

    def applied(self, slices: Slices) -> Slices:
        """Return slices × rows × columns turned; a view."""
        return self._mirrored(np.swapaxes(slices, 1, 2) if self.exchanged else slices)

    def undone(self, slices: Slices) -> Slices:
        """Return turned slices as they were; a view."""
        mirrored = self._mirrored(slices)
        return np.swapaxes(mirrored, 1, 2) if self.exchanged else mirrored

    def _mirrored(self, slices: Slices) -> Slices:
        step_rows = -1 if self.rows_mirrored else 1
        step_columns = -1 if self.columns_mirrored else 1
        return slices[:, ::step_rows, ::step_columns]
