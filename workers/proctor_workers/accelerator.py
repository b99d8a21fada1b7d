"""The one place of the workers that loads torch: used where an accelerator is, else never loaded.

What is signed may come from it only where the numbers are equal to the last bit: sums of whole
numbers are, in whatever order they are made. Everything else stays on the processor.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from proctor_workers.statistics.arrays import Floats, Times

_DRIVER = Path("/dev/nvidiactl")  # without it torch, which takes seconds to load, is left alone


@cache
def device() -> str | None:
    """Return the accelerator's name for torch; None where there is none."""
    if not _DRIVER.exists():
        return None
    return "cuda" if _torch().cuda.is_available() else None


@cache
def _torch() -> Any:
    import torch  # noqa: PLC0415 - loaded for who has an accelerator, by nobody else

    return torch


class WholeNumberSums:
    """Sums of whole-number columns (patients, k) on a device: float64, exact below 2^53."""

    def __init__(self, columns: Floats, device: str) -> None:
        self._device = device
        self._columns = _torch().from_numpy(np.ascontiguousarray(columns.T)).to(device)

    def fill(self, times: Times, values: Floats) -> None:
        """Turn draw counts (patients, lanes) into sums (k, lanes)."""
        torch = _torch()
        drawn = torch.from_numpy(np.ascontiguousarray(times)).to(self._device).to(torch.float64)
        values[:] = (self._columns @ drawn).cpu().numpy()
