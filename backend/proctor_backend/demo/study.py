"""One study from its cohort to its verified report, every step by the person whose step it is."""

import hashlib
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from proctor_backend.demo.material import Material
from proctor_backend.demo.people import People
from proctor_backend.demo.show import Show
from proctor_backend.domain.errors import PlatformError
from proctor_sdk.encrypt import decode_key
from proctor_sdk.trust import trust_document

READERS = {"full": "data partner", "submission": "{} regulatory", "public": "{} developer"}
# The pictures are drawn by a program that writes no text: nobody need look for any.
DESCRIPTION = "deidentify: {burned_in: keep}\n"
TERMS = {
    "allowed_tasks": ["binary_classification"],
    "max_evaluations": 1000,
    "expires_at": "2099-12-31",
    "agreement": "Demonstration: public or synthetic data.",
    "contact": "dana.data@proctor.localhost",
}
ANNEX = {"intended_use": "DEMONSTRATION. In the vendor's own words: not for use on patients."}
CATEGORISED = 3
POLL_S = 0.25
LONGEST_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class StudyRun:
    """Takes one study through everything."""

    material: Material
    people: People
    show: Show
    plugin: bytes | None = None

    def run(self) -> tuple[list[dict[str, Any]], list[Path]]:
        """Return the results that have a conclusion, and the PDFs.

        1. the data partner adds the cohorts, under terms
        2. the statistician drafts; three parties sign
        3. the vendor enters the model; it is tried on public cases, then run blind
        4. the reviewer looks at errors and signs
        5. the releaser unmasks, the partner clears, the releaser releases
        6. everybody fetches an edition; it is verified and recomputed
        """
        self.show.title(self.material.title)
        hidden, public = self._cohorts()  # 1
        study = self._locked_study(hidden, public)  # 2
        report = self._evaluated(study)  # 3
        self._reviewed(report)  # 4
        self._released(report)  # 5
        return self._fetched(report)  # 6

    def _cohorts(self) -> tuple[str, str]:
        hidden = self._cohort("hidden", self.material.hidden)
        public = self._cohort("public", self.material.public, "--public")
        self.people["data partner"].api.put(f"/cohorts/{hidden}/terms", TERMS)
        return hidden, public

    def _cohort(self, kind: str, table: Path, *options: str) -> str:
        """Add a cohort, or find the one that an earlier run added from the same table."""
        note = self.material.folder / f"{kind}.cohort.json"
        digest = hashlib.sha256(table.read_bytes()).hexdigest()
        if note.exists() and (known := json.loads(note.read_text("utf-8")))["table"] == digest:
            return str(known["cohort"])
        partner = self.people["data partner"]
        described = self.material.folder / "description.yaml"
        described.write_text(DESCRIPTION, encoding="utf-8")
        with self.show.step("data partner", f"proctor cohort add ({kind})"):
            name = f"{self.material.name} {kind}"
            words = ("cohort", "add", table, "--name", name, "--description", described)
            cohort = partner.cli(*words, *options)
        with self.show.step("platform", "ingests: de-identifies, rewrites, hashes"):
            view = _wait(
                lambda: partner.api.get(f"/cohorts/{cohort}"), {"READY", "HELD", "REJECTED"}
            )
        if view["state"] != "READY":
            found = view.get("problems") or view.get("findings") or ()
            why = "; ".join(str(one.get("what") or one.get("message")) for one in found)
            raise PlatformError(f"The cohort is {view['state']}: {why}")
        note.write_text(json.dumps({"table": digest, "cohort": cohort}), encoding="utf-8")
        return cohort

    def _locked_study(self, hidden: str, public: str) -> str:
        statistician, vendor = self.people["statistician"], self.material.vendor
        with self.show.step("statistician", "drafts the study"):
            draft = {
                "protocol": self.material.protocol,
                "cohort": hidden,
                "conformance_cohort": public,
            }
            study = str(statistician.api.post("/studies", draft)["id"])
            organisation = self.people.organisations[vendor]
            self.people.office.api.put(f"/studies/{study}/vendor", {"vendor_org": organisation})
            if self.plugin:
                statistician.api.put_bytes(f"/studies/{study}/plugin", self.plugin)
        with self.show.step("three parties", "sign the protocol: it is locked"):
            for who, role in (
                ("statistician", "statistician"),
                (f"{vendor} regulatory", "vendor_regulatory"),
                ("data partner", "data_partner"),
            ):
                meaning = {"role": role, "meaning": "I agree to this protocol."}
                self._post(who, f"/studies/{study}/signatures", meaning)
        return study

    def _evaluated(self, study: str) -> str:
        developer, office = self.people[f"{self.material.vendor} developer"], self.people.office
        with self.show.step("vendor", "proctor submit: sealed, uploaded"):
            entry = developer.cli("submit", "--study", study, "--manifest", self.material.manifest)
        over = {"DECIDED", "FAILED", "CANCELLED"}
        with self.show.step("platform", "screens, tries on public cases, runs blind, measures"):
            view = _wait(lambda: office.api.get(f"/entries/{entry}"), over)
        if view["state"] != "DECIDED":
            raise PlatformError(f"The entry ended as {view['state']}: {view.get('failure')}")
        return str(view["report"])

    def _reviewed(self, report: str) -> None:
        reviewer = self.people["reviewer"]
        with self.show.step("reviewer", "reads the draft, looks at errors, signs the results"):
            _wait(lambda: reviewer.api.get(f"/reports/{report}"), {"DRAFT"})
            for outcome in ("false_positive", "false_negative"):
                found = reviewer.api.get(f"/reports/{report}/cases", outcome=outcome)["cases"]
                for case in found[:CATEGORISED]:
                    self._look(report, case["case"])
                    category = {"category": "near_threshold", "note": "Demonstration."}
                    reviewer.api.post(f"/reports/{report}/cases/{case['case']}/category", category)
            meaning = {"meaning": "I have reviewed these results and approve them."}
            self._post("reviewer", f"/reports/{report}/sign", meaning)

    def _look(self, report: str, case: str) -> None:
        """Open a case's image in the viewer, where the case has one; each look is audited."""
        if self.material.name == "phantom":
            ticket = self.people["reviewer"].api.post(f"/reports/{report}/view", {"case": case})
            httpx.get(ticket["url"]).raise_for_status()

    def _released(self, report: str) -> None:
        vendor = self.people[f"{self.material.vendor} regulatory"]
        with self.show.step("vendor", "gives the annex, sealed until now"):
            vendor.api.put(f"/reports/{report}/annex", ANNEX)
        with self.show.step("releaser", "unmasks"):
            self._post("releaser", f"/reports/{report}/unmask")
        with self.show.step("data partner", "clears each edition"):
            for edition in READERS:
                self._post("data partner", f"/reports/{report}/editions/{edition}/clear")
        with self.show.step("releaser", "releases; the platform renders and signs"):
            self._post("releaser", f"/reports/{report}/release")
            releaser = self.people["releaser"]
            _wait(lambda: releaser.api.get(f"/reports/{report}"), {"RELEASED"})

    def _fetched(self, report: str) -> tuple[list[dict[str, Any]], list[Path]]:
        trust = self.material.folder / "trust.json"
        keys = self.people.office.api.get("/platform")["signing_public_keys"]
        pinned = trust_document(decode_key(key["public_key"]) for key in keys)
        trust.write_text(json.dumps(pinned), encoding="utf-8")
        pdfs = []
        with self.show.step("everybody", "fetches an edition and verifies it offline"):
            for edition, reader in READERS.items():
                person = self.people[reader.format(self.material.vendor)]
                folder = self.material.folder / "reports" / report / edition
                folder.mkdir(parents=True, exist_ok=True)
                package = folder / "report.zip"
                person.cli("report", report, "--edition", edition, "-o", package)
                person.cli("verify", package, "--trust", trust)
                _unpack(package.read_bytes(), folder)
                pdfs.append(folder / "report.pdf")
        full = self.material.folder / "reports" / report / "full"
        with self.show.step("anyone", "recomputes every number from the evidence"):
            _recompute(full / "evidence")
        edition = json.loads((full / "edition.json").read_text("utf-8"))
        results = [shown["result"] for shown in edition["results"]]
        return [result for result in results if result.get("conclusion")], pdfs

    def _post(self, who: str, path: str, document: Mapping[str, Any] | None = None) -> None:
        """Do something that asks for the password again."""
        person = self.people[who]
        person.api.post(path, {**(document or {}), "password": person.password})


def _wait(ask: Callable[[], dict[str, Any]], states: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while (view := ask())["state"] not in states:
        if time.monotonic() > deadline:
            raise PlatformError(f"Still {view['state']} after {LONGEST_WAIT_S:.0f} s.")
        time.sleep(POLL_S)
    return view


def _unpack(package: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(folder)  # our own, just verified


def _recompute(evidence: Path) -> None:
    command = [str(Path(sys.executable).with_name("proctor-worker")), "recompute", str(evidence)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlatformError(f"The results were not computed again:\n{done.stdout}{done.stderr}")
