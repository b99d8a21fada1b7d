"""Replaces the UIDs of a case: what belonged together still does, and nothing says whose it was."""

import warnings

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.profile import Deidentification, Option
from proctor_workers.hidden_data.deidentify.readable import text_of
from proctor_workers.hidden_data.pseudonyms import PatientKeys

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
# What relates the studies of one patient to each other.
_LONGITUDINAL = frozenset({"StudyInstanceUID", "FrameOfReferenceUID"})


class CaseUids:
    """Replaces UIDs, the same one alike wherever it stands in the case.

    They are numbered within the case in the order they appear, which tells nothing at all. Where a
    plan retains longitudinal information, studies and frames of reference get their cohort-wide
    replacement instead, so that two cases of one patient relate.
    """

    def __init__(self, deidentification: Deidentification, keys: PatientKeys) -> None:
        self._keys = keys
        longitudinal = Option.RETAIN_LONGITUDINAL in deidentification.options
        self._keyed = _LONGITUDINAL if longitudinal else frozenset[str]()
        self._seen: dict[str, str] = {}
        self._ordinals = 0

    def replaced(self, keyword: str, original: str) -> str:
        """Return what stands for the UID that was found under this keyword."""
        if original not in self._seen:
            self._seen[original] = self._new(keyword, original)
        return self._seen[original]

    def replace(self, dataset: Dataset, source: Dataset) -> int:
        """Set the replacements of the source's own UIDs; return how many there were."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, of what is no valid UID
            found = [(word, uid) for word in UIDS if (uid := text_of(source, word))]
        for keyword, original in found:
            setattr(dataset, keyword, self.replaced(keyword, original))
        return len(found)

    def _new(self, keyword: str, original: str) -> str:
        if keyword in self._keyed:
            return self._keys.replaced_uid(original)
        self._ordinals += 1
        return f"2.25.{self._ordinals}"
