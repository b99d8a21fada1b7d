"""Two pairs of runs that differ in nothing but their hidden cohorts, watched all the time."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.blinding.watch import MASKED, VENDORS, Watch, walk
from tests.flow.lab import FIRST_PASSWORD, SETTLED, Api, Lab, rows, wait

# One hidden case asks the model what to do; the manifest says what that is.
SMALL = rows(24, seed=3, do={5: "once"})
LARGE = rows(90, seed=4, clustered=True, do={70: "once"})


@dataclass(frozen=True)
class Run:
    """One entry, what its vendor saw of it, and its report if it came to one."""

    study: str
    entry: str
    report: str | None
    seen: Watch


@dataclass(frozen=True)
class Runs:
    """The same image on two cohorts: once it answers, once it writes garbage."""

    answered: tuple[Run, Run]
    failed: tuple[Run, Run]

    def all(self) -> tuple[Run, ...]:
        return (*self.answered, *self.failed)


@pytest.fixture(scope="session")
def decided(lab: Lab, public_cohort: str, unruly_archive: Path) -> Runs:
    """Four runs that were watched until each was decided or failed, none signed yet."""
    studies = [lab.study(lab.cohort(cases), public_cohort) for cases in (SMALL, LARGE)]
    made = []
    for misdeed in ("", "once-garbage"):
        for study in studies:
            named = {"version": f"1-{misdeed}", "seconds_per_case": 1}
            entry = lab.submit(study, unruly_archive, misdeed, **named)
            with Watch(lab, study, entry) as seen:
                report = wait(lambda e=entry: lab.entry(e), SETTLED, timeout_s=120)["report"]
                wait(lambda e=entry: lab["vendor_developer"].get(f"/entries/{e}"),
                     {"decided", "failed"})  # fmt: skip
                seen.ask_for(report)
            made.append(Run(study, entry, report, seen))
    return Runs((made[0], made[1]), (made[2], made[3]))


@pytest.fixture(scope="session")
def read_before_signing(lab: Lab, decided: Runs) -> dict[str, dict[str, str]]:
    """What each masked role could read of a decided run: path → text."""
    run = decided.answered[0]
    assert run.report
    return {role: dict(walk(lab, role, run.study, run.entry, run.report)) for role in MASKED}


@pytest.fixture(scope="session")
def released(lab: Lab, decided: Runs, read_before_signing: dict[str, dict[str, str]]) -> Runs:
    """The same, with the answered ones released."""
    for run in decided.answered:
        assert run.report
        with run.seen:
            lab.release(run.report)
            wait(lambda e=run.entry: lab["vendor_developer"].get(f"/entries/{e}"), {"released"})
    return decided


@pytest.fixture(scope="session")
def rival(lab: Lab) -> dict[str, Api]:
    """Another vendor's persons, one for each of its roles."""
    org = lab.office.post("/organisations", {"name": "Rival Vendor", "kind": "vendor"})["id"]
    found = {}
    for role in VENDORS:
        email = f"rival.{role}@example.org"
        person = {"org": org, "email": email, "name": f"Rival {role}", "password": FIRST_PASSWORD}
        made = lab.office.post("/persons", person)["id"]
        lab.office.post(f"/persons/{made}/bindings", {"role": role})
        found[role] = lab.first_sign_in(email)
    return found
