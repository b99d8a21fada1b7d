"""Storage that is not there: tried again so often, then told, never for ever."""

import contextlib
import shutil

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import events, find, looks, shown_to_vendor

pytestmark = pytest.mark.podman


@contextlib.contextmanager
def without_bucket(lab: Lab, _: str):
    hidden = lab.stack.home.buckets / "hidden"
    aside = hidden.rename(hidden.with_name("aside"))
    yield
    shutil.rmtree(hidden, ignore_errors=True)
    aside.rename(hidden)


@contextlib.contextmanager
def without_reference(lab: Lab, cohort: str):
    (lab.stack.home.buckets / "reference" / cohort / "reference.parquet").unlink()
    yield


@pytest.fixture(scope="module", params=[without_bucket, without_reference])
def entry(request, lab: Lab, public_cohort, unruly_archive):
    """An entry whose hidden bucket, or whose reference standard, is gone."""
    cohort = lab.cohort(rows(12))
    study = lab.study(cohort, public_cohort)
    with request.param(lab, cohort):
        entry = lab.submit(study, unruly_archive)
        lab.settle(entry)
    return entry


def test_vendor_sees_that_the_platform_failed(lab, entry):
    view = shown_to_vendor(lab, entry)
    assert (view["state"], view["reason_code"]) == ("failed", "PLATFORM_ERROR")


def test_platform_failure_is_no_look(lab, entry):
    assert looks(lab, entry) == []


def test_operator_finds_what_was_missing(lab, entry):
    kinds = ("shard.platform_failed", "entry.failed")
    told = [one["private"]["detail"] for kind in kinds for one in events(lab, entry, kind)]
    assert any("404" in said or "There is no" in said for said in told), told


def test_nothing_is_left_waiting(lab, entry):
    states = {one["state"] for one in find(lab, "evaluations", entry=entry)}
    assert "RUNNING" not in states
