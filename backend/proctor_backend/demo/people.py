"""The persons of the demonstration: made once through the API, signed in again on every run."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.layout import Home, write_private
from proctor_sdk.client import ApiClient

ORGANISATIONS = {
    "platform": ("Proctor demonstration office", "platform"),
    "partner": ("Harbour Trust Hospitals", "partner"),
    "lakeside": ("Lakeside Analytics", "vendor"),
    "opaque": ("Opaque Imaging", "vendor"),
}
# Whoever acts in the demonstration: name, organisation, role.
PEOPLE = {
    "statistician": ("Selma Statistics", "platform", "statistician"),
    "reviewer": ("Rita Review", "platform", "reviewer"),
    "releaser": ("Ruben Release", "platform", "releaser"),
    "data partner": ("Dana Data", "partner", "data_partner"),
    "lakeside developer": ("Liv Lakeside", "lakeside", "vendor_developer"),
    "lakeside regulatory": ("Leo Lakeside", "lakeside", "vendor_regulatory"),
    "opaque developer": ("Oda Opaque", "opaque", "vendor_developer"),
    "opaque regulatory": ("Otto Opaque", "opaque", "vendor_regulatory"),
}
TOKEN_DAYS = 2


class Person:
    """Somebody signed in: asks the API, and runs commands of the CLI, as themselves."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url, self.password = url, password
        request = {"email": email, "password": password, "name": "demo", "days": TOKEN_DAYS}
        with ApiClient(url) as nobody:
            self._token = str(nobody.post("/tokens", request)["token"])
        self.api = ApiClient(url, self._token)

    def cli(self, *words: str | Path) -> str:
        """Run a `proctor` command and return the last line that it prints.

        Raises:
            PlatformError: the command failed; its own words are in the message.
        """
        done = subprocess.run(
            [str(Path(sys.executable).with_name("proctor")), *map(str, words)],
            env=os.environ | {"PROCTOR_URL": self.url, "PROCTOR_TOKEN": self._token},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PlatformError(f"`proctor {words[0]}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


class People:
    """Everybody of the demonstration, by what they are called in `PEOPLE`."""

    def __init__(self, url: str, home: Home) -> None:
        self._url, self._file = url, home.root / "demo" / "people.json"
        self.office = Person(url, **_first_admin(home))
        known = self._known() or self._make()
        self.organisations: dict[str, str] = known["organisations"]
        self.credentials: dict[str, dict[str, str]] = known["people"]
        self._signed_in = {
            who: Person(url, given["email"], given["password"])
            for who, given in self.credentials.items()
        }

    def __getitem__(self, who: str) -> Person:
        """Return somebody, signed in."""
        return self._signed_in[who]

    def _known(self) -> dict[str, Any] | None:
        if not self._file.exists():
            return None
        known: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
        return known

    def _make(self) -> dict[str, Any]:
        api = self.office.api
        organisations = {
            key: str(api.post("/organisations", {"name": name, "kind": kind})["id"])
            for key, (name, kind) in ORGANISATIONS.items()
        }
        people = {}
        for who, (name, organisation, role) in PEOPLE.items():
            email = f"{name.lower().replace(' ', '.')}@proctor.localhost"
            first, password = secrets.token_urlsafe(15), secrets.token_urlsafe(15)
            request = {"org": organisations[organisation], "email": email, "name": name}
            person = api.post("/persons", request | {"password": first})["id"]
            api.post(f"/persons/{person}/bindings", {"role": role})
            own = {"old": first, "new": password}
            Person(self._url, email, first).api.put("/me/password", own)
            people[who] = {"email": email, "password": password}
        known = {"organisations": organisations, "people": people}
        write_private(self._file, json.dumps(known, indent=1))
        return known


def _first_admin(home: Home) -> dict[str, str]:
    lines = home.first_admin.read_text("utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    return {"email": fields["email"], "password": fields["password"]}
