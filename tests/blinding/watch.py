"""Everything a vendor can fetch, asked again and again, with ids and times made equal."""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Self

import httpx
from tests.flow.lab import Lab

from proctor_backend.api.permissions import API, RULES
from proctor_backend.domain.people import Role

MASKED = ("reviewer", "statistician")
VENDORS = ("vendor_developer", "vendor_regulatory")
EVERY_S = 0.5
MISSING = {"report": "rep_" + "a" * 26, "cohort": "coh_" + "a" * 26, "chain": "ent_" + "a" * 26}
# Placeholders are as long as what they stand for: a length that differs still shows.
ID = re.compile(r"\b([a-z]{3})_[a-z2-7]{26}\b")
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DIGEST = re.compile(r"\b[0-9a-f]{32,64}\b")  # a salt has 32
DRAWN = re.compile(r"(\"(?:code_name|vendor_salt)\": )\"[^\"]*\"")  # at random
SECONDS = re.compile(r"(\"\w*(?:_s|seconds)\": ?)[0-9.]+")
BEFORE = {"received", "checking"}
# The length is held against the masked bodies, which are compared whole.
OWN_HEADERS = {"date", "content-length"}
# Asked for all the time; the others at every change of what these show.
FOLLOWED = ("/entries/{entry}", "/entries/{entry}/conformance", "/reports", "/reports/{report}")
EDITIONS = ("full", "submission", "public")


def masked(text: str) -> str:
    text = ID.sub(lambda found: f"{found[1]}_{'#' * 26}", text)
    text = TIME.sub("####-##-##T##:##:##.###Z", text)
    text = DRAWN.sub(r"\1#", text)
    return SECONDS.sub(r"\1#", DIGEST.sub(lambda found: "#" * len(found[0]), text))


def paths(study: str, entry: str, report: str | None, conformance: str) -> list[tuple[str, str]]:
    """Return (route, path) of every GET route of the API, with the vendor's own ids in it."""
    ids = MISSING | {"study": study, "entry": entry, "cohort": conformance, "chain": entry}
    ids |= {"report": report} if report else {}
    found = []
    for rule in RULES:
        if rule.method != "GET" or rule.path.endswith(("/health", "/tokens", "/protocol")):
            continue
        path = rule.path.removeprefix(API)
        editions = EDITIONS if "{edition}" in path else ("",)
        for edition in editions:
            name = path.replace("{edition}", edition)
            found.append((name, name.format(**ids)))
    return found


def walk(lab: Lab, role: str, study: str, entry: str, report: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every GET route this role may call, with a run's ids in it."""
    cohort = lab.office.get(f"/studies/{study}")["cohort"]
    ids = {"study": study, "entry": entry, "report": report, "cohort": cohort}
    for rule in RULES:
        if rule.method != "GET" or (rule.roles is not None and Role(role) not in rule.roles):
            continue
        chains = (study, entry, "platform") if "{chain}" in rule.path else ("",)
        outcomes = ("false_positive", "false_negative") if rule.path.endswith("/cases") else ("",)
        for chain in chains:
            for edition in ("full", "submission", "public") if "{edition}" in rule.path else ("",):
                path = rule.path.removeprefix(API).format(**ids, chain=chain, edition=edition)
                for outcome in outcomes:
                    text = lab[role].ask("GET", path, params={"outcome": outcome}).text
                    yield path, _unsigned(text) if path == "/reports" else text


def _unsigned(text: str) -> str:
    """Leave out of a list what others signed before in this laboratory: they may be named."""
    listed = json.loads(text)
    if "reports" in listed:
        open_states = {"DRAFTING", "DRAFT"}
        listed["reports"] = [one for one in listed["reports"] if one["state"] in open_states]
    return json.dumps(listed)


class Watch:
    """Asks as both of the vendor's persons in a thread of its own, from the hidden run on."""

    def __init__(self, lab: Lab, study: str, entry: str) -> None:
        self._lab, self._study, self._entry = lab, study, entry
        self._report: str | None = None
        self._walked: tuple[str, str | None] | None = None
        self._conformance = lab.office.get(f"/studies/{study}")["conformance_cohort"]
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.answers: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.headers: dict[tuple[str, str, int], set[str]] = defaultdict(set)

    def __enter__(self) -> Self:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def ask_for(self, report: str | None) -> None:
        """Ask for the report too: a vendor may have learnt its id."""
        self._report = report
        self._round()

    def _run(self) -> None:
        try:
            while not self._stop.wait(EVERY_S):
                self._round()
            self._round()
        except Exception as error:  # noqa: BLE001 - told in the test's own thread
            self._error = error

    def _round(self) -> None:
        view = self._lab["vendor_developer"].get(f"/entries/{self._entry}")
        if view["state"] in BEFORE:
            return  # public cases: states that a round may or may not meet
        whole = (view["state"], self._report) != self._walked
        self._walked = (view["state"], self._report)
        for role in VENDORS:
            for route, path in paths(self._study, self._entry, self._report, self._conformance):
                if whole or route in FOLLOWED:
                    answer = self._lab[role].ask("GET", path, params={"outcome": "false_positive"})
                    self._note((role, route), answer)

    def _note(self, place: tuple[str, str], answer: httpx.Response) -> None:
        assert int(answer.headers["content-length"]) == len(answer.content)
        said = f"{answer.status_code} {self._told(answer)}"
        if not self.answers[place] or self.answers[place][-1] != said:
            self.answers[place].append(said)
        for name, value in answer.headers.items():
            if name not in OWN_HEADERS and not _is_package(answer):
                self.headers[*place, answer.status_code].add(f"{name}: {value}")

    def _told(self, answer: httpx.Response) -> str:
        if _is_package(answer):
            return "(a signed edition)"
        document = answer.json()
        own = (self._study, self._entry, *filter(None, [self._report]))
        for name in ("studies", "entries", "reports"):
            if name in document:
                document[name] = [one for one in document[name] if _concerns(one, own)]
        if document.get("state") == "RELEASED":
            document.pop("conclusions")  # they stand in the public edition
        return masked(json.dumps(document, sort_keys=True))


def _concerns(one: dict[str, Any], own: tuple[str, ...]) -> bool:
    return one["id"] in own or one.get("entry") in own


def _is_package(answer: httpx.Response) -> bool:
    return answer.headers["content-type"] == "application/zip"
