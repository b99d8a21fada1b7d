"""Pictures: PNG, JPEG, TIFF and BMP, decoded in full and written again without anything else."""

from proctor_workers.hidden_data.formats.raster.reading import FORMATS, read_pictures

__all__ = ["FORMATS", "read_pictures"]
