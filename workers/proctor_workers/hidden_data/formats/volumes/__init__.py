"""Volumes that are no DICOM: NIfTI, Analyze, NRRD and MetaImage, decoded by code of our own."""

from proctor_workers.hidden_data.formats.volumes.reading import FORMATS

__all__ = ["FORMATS"]
