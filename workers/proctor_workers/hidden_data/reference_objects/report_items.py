"""The content tree of a structured report (PS3.3 C.17.3): items, their concepts and references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import UnreadableFileError

MOST_ITEMS = 100_000
DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value and meaning (PS3.3 8.8); empty if there is none."""

    value: str = ""
    meaning: str = ""

    @classmethod
    def of(cls, items: Sequence[Dataset] | None) -> "Code":
        """Return the first code of a sequence."""
        if not items:
            return cls()
        item = items[0]
        values = ("CodeValue", "LongCodeValue", "URNCodeValue")
        value = next((str(item.get(name)) for name in values if item.get(name)), "")
        return cls(value, str(item.get("CodeMeaning") or ""))


@dataclass(frozen=True, slots=True)
class Item:
    """One content item; `concept` is its name, `code` its value if it is coded."""

    dataset: Dataset

    @property
    def kind(self) -> str:
        """Return the value type: CONTAINER, CODE, NUM, SCOORD …."""
        return str(self.dataset.get("ValueType") or "")

    @property
    def concept(self) -> Code:
        """Return what the item is called."""
        return Code.of(self.dataset.get("ConceptNameCodeSequence"))

    @property
    def code(self) -> Code:
        """Return the item's coded value."""
        return Code.of(self.dataset.get("ConceptCodeSequence"))

    @property
    def children(self) -> list["Item"]:
        """Return the items below it."""
        return [Item(one) for one in self.dataset.get("ContentSequence") or ()]

    def number(self) -> float | None:
        """Return a measured value, None if there is none."""
        measured = self.dataset.get("MeasuredValueSequence")
        value = measured[0].get("NumericValue") if measured else None
        if value is None or value == "":
            return None
        return float(value if isinstance(value, str | float | int) else value[0])


def all_items(root: Item) -> Iterator[Item]:
    """Yield every item of a report, parents before children.

    Raises:
        UnreadableFileError: there are too many, or they are too deep.
    """
    waiting = [(root, 0)]
    seen = 0
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if seen > MOST_ITEMS or depth > DEEPEST:
            raise UnreadableFileError("is a report of too many items", "Split it.")
        yield item
        waiting += ((child, depth + 1) for child in reversed(item.children))


def referred(root: Item, item: Item) -> Item:
    """Return the item itself, or the one it refers to by its place in the tree (by reference)."""
    place = item.dataset.get("ReferencedContentItemIdentifier")
    if place is None or place == "":
        return item
    steps = [int(step) for step in (place if not isinstance(place, int) else [place])]
    found = root
    for step in steps[1:DEEPEST]:  # the first one is the root's own
        children = found.children
        if not 1 <= step <= len(children):
            return item
        found = children[step - 1]
    return found
