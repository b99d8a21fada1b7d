"""A draft as its pages read it: a body's full edition with verdict, citations and figures."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from proctor_backend.dashboard import verdict
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.records import Doc
from proctor_backend.reporting import figures, numbers, words
from proctor_sdk.report import Show

EDITION = "full"
# Drawing takes seconds; a body never changes under its digest, so a few drawings are kept.
KEPT = 8
_drawn: OrderedDict[str, dict[str, Doc]] = OrderedDict()
# The drawing library keeps its settings in one place for all threads.
_drawing = threading.Lock()


@dataclass(frozen=True)
class Draft:
    """A body under its digest."""

    digest: str
    body: Mapping[str, Any]

    @property
    def results(self) -> Sequence[Doc]:
        """Return every result of the body."""
        found: list[Doc] = self.body["results"]
        return found

    @cached_property
    def by_id(self) -> dict[str, Doc]:
        """Return the results by id."""
        return {str(result["id"]): result for result in self.results}

    @cached_property
    def criteria(self) -> list[verdict.Row]:
        """Return the rows that carry a criterion."""
        return verdict.criteria(self.results)

    @cached_property
    def others(self) -> list[verdict.Row]:
        """Return the other endpoints."""
        return verdict.others(self.results)

    @cached_property
    def headline(self) -> verdict.Headline:
        """Return the sentence at the top."""
        objective = self.result(verdict.OBJECTIVE) or {}
        return verdict.headline(self.criteria, objective.get("conclusion"))

    @cached_property
    def differences(self) -> list[verdict.Row]:
        """Return the group comparisons that were concluded."""
        return verdict.differences(self.results)

    @property
    def difference_counts(self) -> dict[str, int]:
        """Return how many comparisons ended in which conclusion."""
        return verdict.count_conclusions(self.differences)

    @cached_property
    def factors(self) -> list[verdict.Factor]:
        """Return the groups' own results."""
        return verdict.factors(self.results)

    @property
    def sections(self) -> Sequence[Doc]:
        """Return the sections that reviewers approve."""
        found: list[Doc] = self.body["editions"][EDITION]["sections"]
        return found

    @property
    def figures(self) -> list[Doc]:
        """Return {id, title} of the figures that can be drawn."""
        return [{"id": name, "title": one["title"]} for name, one in self.drawings().items()]

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """Return what the results can be recomputed from, name by name."""
        named = {
            "Protocol": self.body["protocol_digest"],
            "Cohort root": self.body["cohort"]["root"],
            "Results root": self.body["results_root"],
        }
        digests = self.body["entry"].get("digests") or {}
        evidence = self.body.get("evidence") or {}
        return [
            *((name, str(value)) for name, value in named.items()),
            *((words.plain_words(name), str(value)) for name, value in digests.items()),
            *((f"Evidence: {name}", str(value)) for name, value in _flat(evidence)),
        ]

    def result(self, name: str) -> Doc | None:
        """Return a result by id."""
        return self.by_id.get(name)

    def cite(self, part: Mapping[str, Any]) -> str:
        """Return a cited part of a result, as the report prints it."""
        cited = self.by_id.get(str(part["ref"]))
        if cited is None:
            return numbers.WITHHELD
        return numbers.write(cited, Show(part.get("show", Show.ESTIMATE)))

    def section_title(self, name: str) -> str:
        """Return a section's title."""
        return next((str(s["title"]) for s in self.sections if s["id"] == name), name)

    def figure_title(self, name: str) -> str:
        """Return a figure's title."""
        return next((str(f["title"]) for f in self.figures if f["id"] == name), name)

    def drawing(self, name: str) -> str:
        """Return a figure as SVG.

        Raises:
            NotFoundError: the draft has no such figure.
        """
        drawn = self.drawings().get(name)
        if drawn is None:
            raise NotFoundError("There is no such figure.", cure="Go back to the report.")
        return str(drawn["svg"])

    def drawings(self) -> dict[str, Doc]:
        """Return id → {title, svg} of every figure, drawn once per body."""
        with _drawing:
            if self.digest not in _drawn:
                document = {
                    "results": [{"result": result} for result in self.results],
                    "figures": self.body["editions"][EDITION]["figures"],
                }
                drawn = figures.draw(document)
                _drawn[self.digest] = drawn
                if len(_drawn) > KEPT:
                    _drawn.popitem(last=False)
            return _drawn[self.digest]

    @staticmethod
    def tone(conclusion: str) -> str:
        """Return the tone a conclusion is shown in."""
        return verdict.tone(conclusion)


def read_draft(document: Mapping[str, Any]) -> Draft:
    """Return the draft of a {digest, body} document."""
    return Draft(str(document["digest"]), document["body"])


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        words_of = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words_of}, ")
        elif value is not None and not isinstance(value, list):
            yield words_of, str(value)
