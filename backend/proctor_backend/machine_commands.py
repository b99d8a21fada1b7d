"""`proctor-admin doctor`, `backup`, `restore`, `migrate`, `keys`, `audit`."""

import argparse
import hashlib
import json
import sys
from typing import Any

from proctor_backend import backup as archive
from proctor_backend.doctor import examine
from proctor_backend.domain.audit import Head, verify_chain
from proctor_backend.domain.errors import PlatformError, TamperedError
from proctor_backend.local.commands import home_of
from proctor_backend.local.credentials import (
    ADMIN,
    DATABASE,
    make_secrets,
    mongo_url,
    rotate_signing_key,
)
from proctor_backend.local.layout import Home, read_json
from proctor_backend.local.state import running
from proctor_backend.migrations import applied
from proctor_backend.migrations import migrate as take_steps
from proctor_backend.records import Records
from proctor_sdk.encrypt import decode_key
from proctor_sdk.trust import trust_document


def doctor(given: argparse.Namespace) -> int:
    """Print every finding; exit code 1 if something is missing."""
    findings = examine(home_of(given).root)
    for finding in findings:
        _say(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name:<18} {finding.detail}")
        if finding.cure:
            _say(f"         install: {finding.cure}")
    missing = sum(not finding.ok for finding in findings)
    _say("Nothing is missing." if not missing else f"{missing} missing; `make setup` installs all.")
    return 1 if missing else 0


def backup(given: argparse.Namespace) -> int:
    """Write a backup."""
    counts = archive.backup(home_of(given), given.file)
    _say(f"{given.file}: {_spell(counts)}. It holds private keys: keep it closed.")
    return 0


def restore(given: argparse.Namespace) -> int:
    """Bring a backup back."""
    home = home_of(given)
    counts = archive.restore(home, given.file)
    _say(f"{home.root}: {_spell(counts)} restored. `proctor-admin up` starts it.")
    return 0


def migrate(given: argparse.Namespace) -> int:
    """Take the missing steps (`up` does so by itself)."""
    records = _records(home_of(given))
    taken = take_steps(records)
    for step in taken:
        _say(f"step {step.number}: {step.name}")
    _say(f"{len(taken)} steps taken, {len(applied(records))} in all.")
    return 0


def keys(given: argparse.Namespace) -> int:
    """Show fingerprints, write the file that verifiers pin, or make a new signing key."""
    home = home_of(given)
    if not (home.keys / "signing.pub").exists():
        raise PlatformError(f"There are no keys in {home.root}.", cure="Run `proctor-admin up`.")
    if given.action == "rotate":
        if running(home):
            raise PlatformError("The stack is running.", cure="`proctor-admin down` first.")
        rotate_signing_key(home)
    if given.action == "export":
        given.out.write_text(json.dumps(trust(home), indent=2) + "\n", encoding="utf-8")
        _say(f"{given.out}: give it to whoever verifies reports, by a way they trust.")
        return 0
    for path in sorted(home.keys.rglob("*.pub")):
        public = decode_key(path.read_text(encoding="ascii"))
        _say(f"{path.relative_to(home.keys)!s:<24} sha256:{hashlib.sha256(public).hexdigest()}")
    return 0


def trust(home: Home) -> dict[str, Any]:
    """Return the public signing keys, retired ones included, as verifiers pin them."""
    paths = [home.keys / "signing.pub", *sorted((home.keys / "retired").glob("signing.*.pub"))]
    return trust_document(decode_key(path.read_text(encoding="ascii")) for path in paths)


def audit(given: argparse.Namespace) -> int:
    """Check every chain of the trail, or one."""
    records = _records(home_of(given))
    heads = records.find("audit_chains", {"_id": given.chain} if given.chain else {})
    if given.chain and not heads:
        raise PlatformError(f"There is no chain {given.chain!r}.")
    broken = 0
    for head in heads:
        try:
            expected = Head(head["_id"], head["seq"], head["digest"])
            events = records.iterate("audit_events", {"chain": head["_id"]}, "seq")
            found = verify_chain(events, expected=expected)
            _say(f"intact   {head['_id']}  {found.seq} events")
        except TamperedError as error:
            broken += 1
            _say(f"BROKEN   {error.message}")
    _say(f"{len(heads)} chains, {broken} broken.")
    return 1 if broken else 0


def _records(home: Home) -> Records:
    if running(home) is None:
        raise PlatformError("The stack is not running.", cure="Run `proctor-admin up --detach`.")
    port = read_json(home.ports)["mongo"]
    return Records.connect(mongo_url(make_secrets(home), ADMIN, f"127.0.0.1:{port}"), DATABASE)


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
