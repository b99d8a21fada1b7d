"""Turns slices as a radiologist sees them: text that was burned in stands upright only there."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.hidden_data.formats.volumes.volume import Volume, Voxels

# On the screen columns run to the patient's left, or to the back in a sagittal slice; rows run to
# the back, or to the feet. In LPS: axis and sign for each plane, by the axis across the slices.
_ACROSS = {0: (1, 1.0), 1: (0, 1.0), 2: (0, 1.0)}
_DOWN = {0: (2, -1.0), 1: (2, -1.0), 2: (1, 1.0)}


@dataclass(frozen=True, slots=True)
class Turn:
    """How slices are turned: rows and columns exchanged first, then mirrored."""

    exchanged: bool = False
    rows_mirrored: bool = False
    columns_mirrored: bool = False

    @classmethod
    def upright(cls, volume: Volume) -> "Turn":
        """Return the turn that shows a volume's slices upright; none where it is not oriented."""
        if not volume.oriented:
            return cls()
        columns, rows, slices = (volume.affine[:3, axis] for axis in range(3))
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

    def applied(self, voxels: Voxels) -> Voxels:
        """Return slices × rows × columns turned; a view."""
        if self.exchanged:
            voxels = np.swapaxes(voxels, 1, 2)
        return self._mirrored(voxels)

    def undone(self, voxels: Voxels) -> Voxels:
        """Return turned slices as they were; a view."""
        voxels = self._mirrored(voxels)
        return np.swapaxes(voxels, 1, 2) if self.exchanged else voxels

    def _mirrored(self, voxels: Voxels) -> Voxels:
        step_rows = -1 if self.rows_mirrored else 1
        step_columns = -1 if self.columns_mirrored else 1
        return voxels[:, ::step_rows, ::step_columns]
