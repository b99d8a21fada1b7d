"""A client's plugin runs under the report profile; where it fails, the draft goes on without it."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor_backend.settings import Settings
from proctor_workers.runner.host import Host
from proctor_workers.runner.run_sections import PluginError, run_sections, unpack_bundle

from .conftest import TASK, BuiltImage
from .control_double import ControlDouble

pytestmark = pytest.mark.podman
GOOD = (
    "from proctor_sdk.report.blocks import Paragraph, Section\n"
    "def sections(ctx):\n    return [Section('one', 'One', (Paragraph('text'),))]\n"
)
SLOW = "import time\ndef sections(ctx):\n    time.sleep(60)\n"
ONLINE = (
    "import socket\ndef sections(ctx):\n"
    "    socket.create_connection(('192.0.2.1', 80), timeout=1)\n    return []\n"
)


def bundle(code: str, **extra: str) -> bytes:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("plug.py", code)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        described = {"name": "p", "version": "1", "api": 1, "entry": "plug:sections", "needs": []}
        archive.writestr("bundle.json", json.dumps(described))
        archive.writestr("wheels/plug-1-py3-none-any.whl", wheel.getvalue())
        for name, text in extra.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def make(unruly: BuiltImage, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    double = ControlDouble(unruly, TASK)

    def go(code: str, contexts: Any = ()) -> Any:
        content = bundle(code)
        double.changes = {
            "job": "sections",
            "bundle": {
                "content": base64.b64encode(content).decode(),
                "sha256": hashlib.sha256(content).hexdigest(),
            },
            "context": {"api": 1, "contexts": list(contexts)},
        }
        settings = Settings(
            control_url=double.url, runner_token="runner", work_dir=tmp_path,
            report_image=unruly.archive,
        )  # fmt: skip
        run_sections(settings, "rep_1")
        return double.ended

    yield go
    double.close()
    Host(tmp_path).images.clear()


CONTEXT = {"api": 1, "edition": "public", "demonstration": True, "results": []}


def test_sections_come_back(make: Callable[..., Any]) -> None:
    ended = make(GOOD, [CONTEXT])
    assert ended["failure"] == ""
    assert ended["sections"][0]["sections"][0]["title"] == "One"


@pytest.mark.parametrize("code", ["raise ValueError", "import no_such_module", ONLINE])
def test_plugin_that_fails_leaves_a_reason(make: Callable[..., Any], code: str) -> None:
    ended = make(code, [CONTEXT])
    assert ended["sections"] is None
    assert "status" in ended["failure"]


def test_plugin_that_takes_too_long_is_stopped(make: Callable[..., Any]) -> None:
    assert "longer than 5 s" in make(SLOW, [CONTEXT])["failure"]


def test_bundle_with_other_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="something other"):
        unpack_bundle(bundle(GOOD, **{"../evil": "x"}), tmp_path / "b")
