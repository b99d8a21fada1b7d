"""Keeps of structured content (SR, acquisition context) what was measured and coded.

Persons, UIDs, references and words that no dictionary has are gone (PS3.15 E.3.4).
"""

from collections.abc import Iterable

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.items import Allowed, kept_items
from proctor_workers.hidden_data.deidentify.readable import text_of
from proctor_workers.hidden_data.deidentify.values import ValueCleaner

_DEEPEST = 32  # levels of content; TID 1500 has under ten
# By value type (PS3.3 C.17.3.2.1). Not listed: PNAME, UIDREF, IMAGE, COMPOSITE, WAVEFORM.
_VALUES: dict[str, Allowed] = {
    "CONTAINER": {"ContinuityOfContent": None},
    "TEXT": {"TextValue": None},
    "CODE": {"ConceptCodeSequence": {}},
    "NUM": {
        "MeasuredValueSequence": {"NumericValue": None, "MeasurementUnitsCodeSequence": {}},
        "NumericValueQualifierCodeSequence": {},
    },
    "NUMERIC": {"NumericValue": None, "MeasurementUnitsCodeSequence": {}},
    "SCOORD": {"GraphicData": None, "GraphicType": None},
    "SCOORD3D": {"GraphicData": None, "GraphicType": None},
    "DATE": {"Date": None},
    "TIME": {"Time": None},
    "DATETIME": {"DateTime": None},
}
_OF_ALL: Allowed = {
    "RelationshipType": None,
    "ValueType": None,
    "ConceptNameCodeSequence": {},
}


def kept_content(items: Iterable[Dataset], cleaner: ValueCleaner, depth: int = 0) -> list[Dataset]:
    """Return the content items that may stay, their own content cleaned likewise."""
    kept = []
    for item in items:
        allowed = _VALUES.get(text_of(item, "ValueType"))
        if allowed is None or depth >= _DEEPEST:
            continue
        (clean,) = kept_items([item], {**_OF_ALL, **allowed}, cleaner)
        if inner := item.get("ContentSequence"):
            clean.ContentSequence = kept_content(inner, cleaner, depth + 1)
        kept.append(clean)
    return kept
