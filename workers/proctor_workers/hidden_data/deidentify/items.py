"""Keeps of a sequence's items what is named, at every depth, and nothing beside it."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.coded import kept_codes
from proctor_workers.hidden_data.deidentify.readable import UNREADABLE
from proctor_workers.hidden_data.deidentify.values import ValueCleaner

# Keyword and, for a sequence, what is kept of its items: empty for a code sequence.
Allowed = Mapping[str, "Allowed | None"]
_MOST_ITEMS = 100_000  # frames of a multi-frame object have one each


def kept_items(
    items: Iterable[Dataset], allowed: Allowed, cleaner: ValueCleaner | None = None
) -> list[Dataset]:
    """Return new items with the allowed attributes only, each value checked and rewritten.

    `allowed` maps a keyword to None, or for a sequence to what is allowed in its items; `{}` stands
    for a code sequence, of which published codes are kept, in their published words. Dates need
    a cleaner from `headers.cleaner_of`; without one they are dropped. Items left empty stay, so
    that counts agree (one item for each frame).
    """
    rewriter = cleaner or ValueCleaner()
    return [_kept(item, allowed, rewriter) for item in list(items)[:_MOST_ITEMS]]


def _kept(item: Dataset, allowed: Allowed, cleaner: ValueCleaner) -> Dataset:
    kept = Dataset()
    for keyword, inner in allowed.items():
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in item:
            continue
        try:
            element = item[tag]
            value: Any = element.value
        except UNREADABLE:
            continue
        if inner is not None:
            if items := _sequence(element, inner, cleaner):
                kept.add(DataElement(tag, "SQ", items))
            continue
        listed = dictionary_VR(keyword)
        vr = element.VR if " or " in listed else listed
        clean = cleaner.cleaned(keyword, vr, value, {})
        if clean is not None:
            kept.add(DataElement(tag, vr, clean))
    return kept


def _sequence(element: DataElement, inner: Allowed, cleaner: ValueCleaner) -> list[Dataset]:
    if element.VR != "SQ":
        return []
    return kept_items(element.value, inner, cleaner) if inner else kept_codes(element.value)
