"""A client's report plugin: its section in every edition, or a sentence that says why not."""

import io
import json
import subprocess
import sys
import zipfile

import pytest
from tests.flow.lab import ROOT, Lab, rows

pytestmark = pytest.mark.podman
CRASHES = "def sections(context):\n    raise SystemExit(3)\n"
HANGS = "import time\ndef sections(context):\n    time.sleep(60)\n"


@pytest.fixture(scope="module")
def hidden(lab: Lab):
    return lab.cohort(rows(12))


def bodied(lab: Lab, hidden, public, archive, plugin: bytes):
    study = lab.study(hidden, public, plugin=plugin)
    view = lab.settle(lab.submit(study, archive))
    assert view["state"] == "DECIDED"
    return lab["reviewer"].get(f"/reports/{view['report']}/body")["body"]


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> bytes:
    bundle = tmp_path_factory.mktemp("plugin") / "bundle.zip"
    builder = ROOT / "sdk/examples/report-plugin/build_bundle.py"
    subprocess.run([sys.executable, str(builder), str(bundle)], check=True, capture_output=True)
    return bundle.read_bytes()


@pytest.fixture(scope="module")
def body(lab, hidden, public_cohort, unruly_archive, example):
    return bodied(lab, hidden, public_cohort, unruly_archive, example)


@pytest.mark.parametrize("edition", ["full", "submission", "public"])
def test_section_of_the_example_plugin_stands_in_the_edition(body, edition):
    titles = [section["title"] for section in body["editions"][edition]["sections"]]
    assert "Northlake clinical safety board" in titles


def bundle(code: str) -> bytes:
    wheel, content = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("plug.py", code)
    described = {"name": "p", "version": "1", "api": 1, "entry": "plug:sections", "needs": []}
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("bundle.json", json.dumps(described))
        archive.writestr("wheels/plug-1-py3-none-any.whl", wheel.getvalue())
    return content.getvalue()


@pytest.mark.parametrize(
    ("code", "said"), [(CRASHES, "ended with status"), (HANGS, "took longer than")]
)
def test_body_says_why_the_section_is_missing(
    lab, hidden, public_cohort, unruly_archive, code, said
):
    body = bodied(lab, hidden, public_cohort, unruly_archive, bundle(code))
    sections = [s for s in body["editions"]["full"]["sections"] if s["id"] == "client-missing"]
    assert said in json.dumps(sections)
