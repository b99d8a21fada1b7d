"""A small study taken through the main line over the HTTP API and the CLI, each role by itself."""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from proctor_backend.local import LocalStack
from proctor_backend.services.people import first_admin
from proctor_sdk.outputs import TASKS

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough passphrase 42"
FIRST_PASSWORD = "what the study office wrote down"
ROLES = {
    "statistician": "platform",
    "reviewer": "platform",
    "releaser": "platform",
    "operator": "platform",
    "data_partner": "partner",
    "vendor_developer": "vendor",
    "vendor_regulatory": "vendor",
}
SETTLED = {"RELEASED", "FAILED", "CANCELLED", "DECIDED"}
VENDOR = "Umbrella Vendor Inc"
MANIFEST = """
contract = "proctor/v1"
[model]
name = "secret-product"
version = "{version}"
vendor = "Umbrella Vendor Inc"
description = "a secret description"
training_data = "none; it returns its input"
[image]
archive = "{archive}"
[task]
kind = "binary_classification"
positive = "died"
negative = "alive"
[[operating_points]]
id = "main"
threshold = 0.5
comparator = ">="
chosen = "by the vendor on a tuning set"
{misdeed}
[inputs]
kind = "table"
attributes = ["do", "write", "x"]
[resources]
memory_mb = {memory_mb}
cpus = 1
tmp_mb = 8
seconds_per_case = {seconds_per_case}
seconds_total = {seconds_total}
start_seconds = {start_seconds}
"""
MISDEED = """
[[operating_points]]
id = "{}"
threshold = 0.5
comparator = ">="
chosen = "never; the unruly model reads it"
"""


class Api:
    """One role's requests."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url, self.token = url, token
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        address = f"{self.url}/api/v1{path}"
        return httpx.request(method, address, headers=self._headers, timeout=60, **more)

    def do(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.do("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.do("POST", path, body)

    def cli(self, *words: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PROCTOR_URL": self.url, "PROCTOR_TOKEN": self.token}
        command = [str(Path(sys.executable).with_name("proctor")), *words]
        done = subprocess.run(
            command, env=env, check=False, capture_output=True, text=True, timeout=240, **more
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done


def rows(
    count: int, *, seed: int = 1, clustered: bool = False, **doing: Any
) -> list[dict[str, Any]]:
    """Cases whose score `x` separates those who died; `doing` maps a case number to its act."""
    draw = random.Random(seed)  # noqa: S311 - a fixed cohort
    made = []
    for n in range(count):
        died = n % 2
        made.append(
            {
                "case": f"c{n}",
                "patient": f"p{n // 2 if clustered else n}",
                "site": f"site-{n % 3}",
                "reference_value": died,
                "reference_status": "verified",
                "attr.sex": "FM"[(n // 2) % 2],
                "attr.age": draw.randint(20, 95),
                "attr.race": ["white", "black", "asian"][(n // 4) % 3],
                "input.x": round(min(max(draw.gauss(0.35 + 0.3 * died, 0.15), 0.001), 0.999), 6),
                "input.do": doing.get("do", {}).get(n, ""),
                "input.write": doing.get("write", {}).get(n, ""),
            }
        )
    return made


@dataclass
class Lab:
    """Organisations, persons and one running stack."""

    stack: LocalStack
    folder: Path
    office: Api = field(init=False)
    people: dict[str, Api] = field(default_factory=dict)
    orgs: dict[str, str] = field(default_factory=dict)
    persons: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        admin = {"email": "admin@example.org", "password": PASSWORD}
        records = self.stack.admin_records()
        first_admin(records, name="First Admin", **admin)
        records.db.client.close()
        self.office = self.sign_in(**admin)
        for kind in ("platform", "partner", "vendor"):
            name = VENDOR if kind == "vendor" else f"lab {kind} {self.folder.name}"
            made = {"name": f"{name}", "kind": kind}
            self.orgs[kind] = self.office.post("/organisations", made)["id"]
        for role, kind in ROLES.items():
            email = f"{role}.{self.folder.name}@example.org"
            person = {"org": self.orgs[kind], "email": email, "name": f"Dr {role}"}
            self.persons[role] = self.office.post(
                "/persons", person | {"password": FIRST_PASSWORD}
            )["id"]
            self.office.post(f"/persons/{self.persons[role]}/bindings", {"role": role})
            self.emails[role] = email
            self.people[role] = self.first_sign_in(email)

    def first_sign_in(self, email: str) -> Api:
        """Choose an own password instead of the study office's, then sign in with it."""
        words = {"old": FIRST_PASSWORD, "new": PASSWORD}
        self.sign_in(email, FIRST_PASSWORD).do("PUT", "/me/password", words)
        return self.sign_in(email, PASSWORD)

    def sign_in(self, email: str, password: str) -> Api:
        request = {"email": email, "password": password, "name": "lab", "days": 2}
        return Api(self.stack.api_url, Api(self.stack.api_url).post("/tokens", request)["token"])

    def __getitem__(self, role: str) -> Api:
        return self.people[role]

    def table(self, cases: Sequence[Mapping[str, Any]]) -> Path:
        """Write a table of cases."""
        table = self.folder / f"table-{time.time_ns()}.csv"
        with table.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(cases[0]))
            writer.writeheader()
            writer.writerows(cases)
        return table

    def cohort(
        self,
        cases: Sequence[Mapping[str, Any]],
        *,
        public: bool = False,
        files: Path | None = None,
        description: Mapping[str, Any] | None = None,
        timeout_s: float = 60,
    ) -> str:
        """Add a cohort with the CLI and wait until it is ingested."""
        table = self.table(cases)
        partner = self["data_partner"]
        words = [
            "cohort",
            "add",
            str(table),
            "--name",
            table.stem,
            *(["--public"] if public else []),
            *(["--files", str(files)] if files else []),
        ]
        if description:
            described = table.with_suffix(".yaml")
            described.write_text(json.dumps(description))  # JSON is YAML
            words += ["--description", str(described)]
        cohort = partner.cli(*words).stdout.split()[-1]
        ended = {"READY", "REJECTED", "HELD"}
        view = wait(lambda: partner.get(f"/cohorts/{cohort}"), ended, timeout_s=timeout_s)
        assert view["state"] == "READY", view
        if not public:
            terms = {
                "allowed_tasks": list(TASKS),
                "max_evaluations": 100,
                "expires_at": "2099-01-01",
                "agreement": "For this laboratory.",
                "contact": "partner@example.org",
            }
            partner.do("PUT", f"/cohorts/{cohort}/terms", terms)
        return cohort

    def study(
        self,
        cohort: str,
        public: str,
        *,
        plugin: bytes | None = None,
        protocol: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Draft a study and have it locked by its three signatures."""
        text = protocol_text(**changes) if protocol is None else json.dumps(protocol)
        drafted = {"protocol": text, "cohort": cohort, "conformance_cohort": public}
        study = self["statistician"].post("/studies", drafted)["id"]
        self.office.do("PUT", f"/studies/{study}/vendor", {"vendor_org": self.orgs["vendor"]})
        if plugin:
            answer = self["statistician"].ask("PUT", f"/studies/{study}/plugin", content=plugin)
            assert answer.is_success, answer.text
        for role in ("statistician", "vendor_regulatory", "data_partner"):
            signature = {"role": role, "password": PASSWORD, "meaning": "I agree."}
            view = self[role].post(f"/studies/{study}/signatures", signature)
        assert view["state"] == "LOCKED", view
        return study

    def submit(
        self,
        study: str,
        archive: Path,
        misdeed: str = "",
        *,
        manifest: str = MANIFEST,
        **values: Any,
    ) -> str:
        """Enter the image as the vendor does; return the entry.

        `misdeed` is what the unruly model does at cases that ask: `once-crash`, `each-hang`.
        """
        path = self.folder / f"proctor-{time.time_ns()}.toml"
        if not (self.folder / archive.name).exists():
            shutil.copy(archive, self.folder)
        filled = {
            "memory_mb": 96,
            "seconds_per_case": 2,
            "seconds_total": 120,
            "start_seconds": 5,
            "version": str(time.time_ns()),
            "misdeed": MISDEED.format(misdeed) if misdeed else "",
        } | values
        path.write_text(manifest.format(archive=archive.name, **filled))
        done = self["vendor_developer"].cli("submit", "--manifest", str(path), "--study", study)
        return done.stdout.split()[-1]

    def entry(self, entry: str) -> dict[str, Any]:
        return self.office.get(f"/entries/{entry}")

    def settle(self, entry: str, *, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until an entry is decided or over; return the study office's view."""
        return wait(lambda: self.entry(entry), SETTLED, timeout_s=timeout_s)

    def release(self, report: str) -> None:
        """Sign, unmask, clear every edition and release."""
        word = {"password": PASSWORD}
        self["reviewer"].post(f"/reports/{report}/sign", word | {"meaning": "I approve."})
        texts = {"intended_use": "In the vendor's own words."}
        self["vendor_regulatory"].do("PUT", f"/reports/{report}/annex", texts)
        self["releaser"].post(f"/reports/{report}/unmask", word)
        for edition in ("full", "submission", "public"):
            self["data_partner"].post(f"/reports/{report}/editions/{edition}/clear", word)
        self["releaser"].post(f"/reports/{report}/release", word)
        wait(lambda: self["releaser"].get(f"/reports/{report}"), {"RELEASED"}, timeout_s=120)


def protocol_text(**changes: Any) -> str:
    """The example protocol, cut down to the laboratory's table, with `changes` over it."""
    yaml = YAML(typ="safe")
    document = yaml.load((ROOT / "docs/examples/protocols/binary-table.yaml").read_text())
    document |= {
        "title": "Laboratory study",
        "input_profile": {"kind": "table", "attributes": ["do", "write", "x"]},
        "resamples": 2000,
        "status_slot_s": 0.2,
        "subgroups": [
            {"attribute": "sex", "endpoints": ["auroc"], "margin": 0.05, "family": "bias"},
            {"attribute": "race", "endpoints": ["auroc"], "margin": 0.05, "family": "bias"},
        ],
    } | changes
    return json.dumps(document)  # JSON is YAML


def wait(
    ask: Callable[[], dict[str, Any]], states: set[str], *, timeout_s: float = 60
) -> dict[str, Any]:
    """Ask until the state is one of `states`."""
    deadline = time.monotonic() + timeout_s
    while (view := ask())["state"] not in states:
        assert time.monotonic() < deadline, f"still {view} after {timeout_s} s"
        time.sleep(0.1)
    return view
