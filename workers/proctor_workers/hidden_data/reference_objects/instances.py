"""Finds the slice that a DICOM object refers to."""

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import Grid


def slice_of_instance(grid: Grid, reference: Dataset) -> int | None:
    """Return the slice of a referenced instance, and frame if it has several; None if it has none.

    Several slices of one instance are the frames of one file, in its order.
    """
    uid = str(reference.get("ReferencedSOPInstanceUID") or "")
    if uid not in grid.instances:
        return None
    first, number = grid.instances.index(uid), grid.instances.count(uid)
    if number == 1:
        return first
    frames = reference.get("ReferencedFrameNumber")
    if frames is None or frames == "":
        return None
    frame = int(frames if isinstance(frames, int | str) else frames[0])
    return first + frame - 1 if 1 <= frame <= number else None
