"""A straight line of one method's values against another's."""

from dataclasses import dataclass

from proctor_workers.statistics.proportions import Limits

SLOPE, INTERCEPT = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """value = intercept + slope * reference; without limits, `reason` says why."""

    slope: float
    intercept: float
    slope_limits: Limits | None
    intercept_limits: Limits | None
    method: str
    reason: str | None = None
    slope_error: float | None = None
    intercept_error: float | None = None
