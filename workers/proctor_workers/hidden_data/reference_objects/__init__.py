"""Reads a reference standard that is more than one word: masks, contours, boxes, measurements."""

from proctor_workers.hidden_data.reference_objects.reading import reference_outputs

__all__ = ["reference_outputs"]
