"""DICOM images of any vintage: decoded exactly, made safe, written uncompressed."""

from proctor_workers.hidden_data.formats.base import Format
from proctor_workers.hidden_data.formats.dicom.cases import read_dicom
from proctor_workers.hidden_data.formats.dicom.originals import is_dicom

FORMATS = (Format(name="dicom", recognises=is_dicom, read=read_dicom),)
