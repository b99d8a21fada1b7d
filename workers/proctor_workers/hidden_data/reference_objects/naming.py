"""Says which name a structure of a reference object has in the cohort."""

from collections.abc import Mapping

LONGEST = 200


class Names:
    """The cohort's labels: what objects call a structure, and what the cohort calls it.

    With labels, only what they name is taken, by its own word (a segment's label, a region's name,
    a code's meaning), its number or code, or by the cohort's word. Without, own words are kept.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = {key.strip().casefold(): name for key, name in labels.items()}
        self._own = {name.strip().casefold(): name for name in labels.values()}

    def of(self, *words: str) -> str | None:
        """Return the cohort's name of what has these words, None if it is not taken."""
        plain = [word.strip() for word in words if word.strip()]
        for word in plain:
            key = word.casefold()
            if key in self._labels or key in self._own:
                return self._labels.get(key) or self._own[key]
        if self._labels or not plain:
            return None
        first = plain[0]
        return first if len(first) <= LONGEST and first.isprintable() else None
