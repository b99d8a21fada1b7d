"""The vendor's text: what may be said where; it joins only after the results are signed."""

from collections.abc import Iterator, Mapping
from typing import Any

from proctor_backend.domain.errors import InvalidInputError

TEXT_LIMIT = 20_000

# What only the vendor can say; the report asks for each by these words.
SLOTS: dict[str, str] = {
    "device_description": "device, intended users, use environment and degree of automation",
    "intended_use": "intended use and workflow phase in the vendor's words",
    "indications": "indications and contraindications",
    "model": "model description, architecture, calibration and ensembling",
    "training_data": "training data: sources, demographics, and independence from this cohort",
    "operating_point_choice": "how the operating points were chosen, and on what data",
    "tested_versus_released": "difference between tested and released version, and its effect",
    "limitations": "known limitations, known biases and gaps in the training data",
    "risk_management": "risk management file and considerations specific to machine learning",
    "cybersecurity": "software bill of materials, threat model and cybersecurity test reports",
    "change_plan": "predetermined change control plan",
    "monitoring": "plan for monitoring after the device is placed on the market",
    "usability": "usability and human factors",
    "interests": "funding, interests, registration, availability of data and code",
}
_NAMES = ("vendor", "model_name", "model_version")
_PUBLIC = frozenset(
    {"device_description", "intended_use", "indications", "model", "training_data", "limitations",
     "interests"}
)  # fmt: skip
EDITION_SLOTS = {"full": frozenset(SLOTS), "submission": frozenset(SLOTS), "public": _PUBLIC}


def check_texts(texts: Mapping[str, Any]) -> dict[str, str]:
    """Return the vendor's texts in the order of the slots, without empty ones.

    Raises:
        InvalidInputError: an unknown slot, or a text that is too long or is none.
    """
    problems = [
        {"field": name, "what": what, "line": None, "cure": cure}
        for name, text in texts.items()
        for what, cure in _problems(name, text)
    ]
    if problems:
        raise InvalidInputError(
            "The vendor's text cannot be joined as it is.",
            cure=f"Texts may be given for: {', '.join(SLOTS)}.",
            problems=problems,
        )
    return {slot: str(texts[slot]) for slot in SLOTS if str(texts.get(slot, "")).strip()}


def join_annex(model: Mapping[str, Any], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annex: the manifest's names and descriptions, with the vendor's texts over them.

    `model` is the manifest's `[model]` as submitted, with the vendor's name.
    """
    from_manifest = {
        "device_description": model.get("description"),
        "training_data": model.get("training_data"),
    }
    given = {slot: text for slot, text in from_manifest.items() if text} | dict(texts)
    names = (model.get("vendor"), model.get("name"), model.get("version"))
    return dict(zip(_NAMES, (str(name or "") for name in names), strict=True)) | {
        "texts": check_texts(given)
    }


def annex_for(annex: Mapping[str, Any] | None, edition: str) -> dict[str, Any] | None:
    """Return the parts of the annex that an edition carries."""
    if annex is None:
        return None
    texts = annex["texts"]
    return {
        **annex,
        "texts": {slot: texts[slot] for slot in texts if slot in EDITION_SLOTS[edition]},
    }


def _problems(name: str, text: Any) -> Iterator[tuple[str, str]]:
    if name not in SLOTS:
        yield "is no part of the annex", "Leave it out."
    elif not isinstance(text, str) or len(text) > TEXT_LIMIT:
        yield f"is no text of at most {TEXT_LIMIT} characters", "Shorten it."
