"""A small platform on a real socket: enough of the public API and of S3 for the client's side.

It keeps what it was sent and can be told to misbehave; the real platform is tested in tests/flow.
"""

import base64
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from proctor_backend.services.planning import plan_on_counts
from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.encrypt import encode_key, generate_keypair

TOKEN = "a-token"
PASSWORD = "correct horse"
MANIFEST = """contract = "proctor/v1"

[model]
name = "Risk"
version = "1.0"
vendor = "Example Ltd"
description = "Estimates risk."
training_data = "Some patients."

[image]
archive = "image.tar"

[task]
kind = "binary_classification"
positive = "died"
negative = "survived"

[[operating_points]]
id = "main"
threshold = 0.5
chosen = "Youden index on held-out patients."

[inputs]
kind = "table"
attributes = ["age"]
"""


@dataclass
class Platform:
    """What the small platform holds, and how it is told to misbehave."""

    url: str = ""
    private_key: bytes = b""
    public_key: bytes = b""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    cohort_files: dict[str, bytes] = field(default_factory=dict)
    closed_cohort: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    part_size: int = 5 * 2**20
    before_put: Callable[[str, int], Response | None] = lambda _entry, _number: None
    answers: dict[str, list[Response]] = field(default_factory=dict)

    def sealed(self, entry: str) -> bytes:
        """The object as S3 joined it."""
        return b"".join(self.parts[entry][n] for n in sorted(self.parts[entry]))

    def puts(self) -> list[str]:
        """The paths of the objects that were sent."""
        return [path for method, path, _ in self.seen if method == "PUT" and "/store/" in path]


def refusal(status: int, code: str, message: str, **rest: Any) -> Response:
    """An error in the form of the public API."""
    return JSONResponse({"error": {"code": code, "message": message, **rest}}, status)


def _app(state: Platform) -> FastAPI:  # noqa: C901, PLR0915 - one function per route
    app = FastAPI()

    @app.middleware("http")
    async def recorded(request: Request, call: Any) -> Response:
        body = await request.body()
        path = request.url.path
        is_json = request.headers.get("content-type") == "application/json"
        state.seen.append((request.method, path, json.loads(body) if is_json else body))
        if waiting := state.answers.get(f"{request.method} {path}"):
            return waiting.pop(0)
        if path.startswith("/store/"):
            return stored(request, body)
        open_to_all = path in ("/api/v1/tokens", "/api/v1/platform")
        if not open_to_all and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "not_signed_in", "The token is not valid.")
        answer: Response = await call(request)
        return answer

    def stored(request: Request, body: bytes) -> Response:
        assert "authorization" not in request.headers, "the API token went to the object store"
        sent = base64.b64decode(request.headers["content-md5"])
        if sent != hashlib.md5(body, usedforsecurity=False).digest():
            return Response("<Code>BadDigest</Code>", 400)
        kind, name, *rest = request.url.path.removeprefix("/store/").split("/")
        if kind == "cohort":
            state.cohort_files[name] = body
            return Response(headers={"ETag": '"x"'})
        number = int(rest[0])
        if refused := state.before_put(name, number):
            return refused
        state.parts[name][number] = body
        return Response(headers={"ETag": f'"{sent.hex()}"'})

    @app.get("/api/v1/platform")
    def platform() -> Any:
        return {"encryption_public_key": encode_key(state.public_key)}

    @app.get("/api/v1/me")
    def me() -> Any:
        return {"name": "Vera Vendor"}

    @app.post("/api/v1/tokens")
    def tokens(body: dict[str, Any]) -> Any:
        if body["password"] != PASSWORD:
            return refusal(401, "not_signed_in", "E-mail and password do not fit.", cure="Again.")
        return {"id": "tok_1", "token": TOKEN}

    @app.post("/api/v1/entries")
    def open_entry(body: dict[str, Any]) -> Any:
        entry = f"ent_{len(state.entries) + 1}"
        state.entries[entry] = {"id": entry, "state": "received", **body}
        state.parts[entry] = {}
        parts = -(-body["image"]["sealed_size"] // state.part_size)
        return {"entry": entry, "upload": {"part_size": state.part_size, "parts": parts}}

    @app.get("/api/v1/entries")
    def entries() -> Any:
        return {"entries": list(state.entries.values())}

    @app.get("/api/v1/entries/{entry}")
    def entry_view(entry: str) -> Any:
        if entry not in state.entries:
            return refusal(404, "not_found", f"There is no entry {entry!r}.")
        return state.entries[entry]

    @app.get("/api/v1/entries/{entry}/conformance")
    def conformance(entry: str) -> Any:
        return state.entries[entry]["conformance"]

    @app.get("/api/v1/entries/{entry}/parts")
    def stored_parts(entry: str) -> Any:
        if state.entries[entry].get("closed"):
            return refusal(409, "state_conflict", "The entry has its image already.")
        etags = {
            number: f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
            for number, body in state.parts[entry].items()
        }
        return {"restarted": False, "parts": etags}

    @app.post("/api/v1/entries/{entry}/parts")
    def presign(entry: str, body: dict[str, Any]) -> Any:
        return {"urls": {n: f"{state.url}/store/entry/{entry}/{n}" for n in body["numbers"]}}

    @app.post("/api/v1/entries/{entry}/close")
    def close_entry(entry: str, body: dict[str, Any]) -> Any:
        for part in body["parts"]:
            content = state.parts[entry][part["number"]]
            assert hashlib.sha256(content).hexdigest() == part["sha256"]
        assert hashlib.sha256(state.sealed(entry)).hexdigest() == body["sealed_sha256"]
        state.entries[entry]["closed"] = True
        return {"id": entry}

    @app.post("/api/v1/cohorts")
    def open_cohort(body: dict[str, Any]) -> Any:
        assert body["visibility"] in ("hidden", "public")
        return {"id": "coh_1"}

    @app.post("/api/v1/cohorts/{cohort}/uploads")
    def uploads(cohort: str, body: dict[str, Any]) -> Any:
        digests = [file["sha256"] for file in body["files"]]
        missing = [one for one in digests if one not in state.cohort_files]
        return {
            "missing": [
                {"sha256": one, "url": f"{state.url}/store/cohort/{one}?of={cohort}"}
                for one in missing
            ]
        }

    @app.post("/api/v1/cohorts/{cohort}/close")
    def close_cohort(cohort: str, body: dict[str, Any]) -> Any:
        state.closed_cohort = body
        return {"id": cohort, "state": "UPLOADED"}

    @app.put("/api/v1/cohorts/{cohort}/terms")
    def terms(cohort: str, body: dict[str, Any]) -> Any:
        return {"id": cohort, "terms": body}

    @app.get("/api/v1/studies/{study}")
    def study(study: str) -> Any:
        return {
            "id": study,
            "title": "A study",
            "state": "DRAFT",
            "lock_digest": "sha256:" + "ab" * 32,
            "protocol": {"version": 1, "digest": "sha256:" + "cd" * 32},
            "missing_signatures": ["statistician"],
            "signatures": [{"role": "data_partner", "at": "2026-11-21T08:00:00.000Z"}],
            "deviations": [{"severity": "minor", "text": "A scanner was replaced."}],
        }

    @app.post("/api/v1/protocols/plan")
    def plan(body: dict[str, Any]) -> Any:
        return plan_on_counts(protocol_text=body["protocol"], counts=body["counts"])

    @app.get("/api/v1/studies/{study}/plan")
    def plan_of_study(study: str) -> Any:
        coarse = {"endpoint": "auroc", "metric": "auroc", "group": None, "width": 0.05}
        return {"exact": False, "outlooks": [coarse]}

    @app.post("/api/v1/studies")
    def draft(body: dict[str, Any]) -> Any:
        if "typo" in body["protocol"]:
            problem = {"line": 3, "field": "typo", "what": "There is no field.", "cure": "Drop it."}
            return refusal(422, "invalid", "The protocol has one problem.", problems=[problem])
        return {"id": "stu_1"}

    @app.post("/api/v1/studies/{study}/signatures")
    def sign(study: str, body: dict[str, Any]) -> Any:
        if body["password"] != PASSWORD:
            return refusal(401, "not_signed_in", "The password is wrong.", cure="Enter it again.")
        return {"id": study, "state": "LOCKED"}

    @app.post("/api/v1/studies/{study}/{what}")
    def change(study: str, what: str) -> Any:
        return {"id": study, "state": "DRAFT", "what": what}

    @app.get("/api/v1/reports/{report}/editions/{edition}")
    def package(report: str, edition: str) -> Any:
        return Response(f"{report} {edition}".encode(), media_type="application/zip")

    return app


@pytest.fixture(scope="session")
def _server() -> Iterator[tuple[Platform, uvicorn.Server]]:
    state = Platform()
    config = uvicorn.Config(_app(state), host="127.0.0.1", port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    state.url = f"http://127.0.0.1:{port}"
    yield state, server
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def platform(
    _server: tuple[Platform, uvicorn.Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Platform:
    """The platform, emptied, with a person who is signed in by the environment."""
    state = _server[0]
    url = state.url
    fresh = Platform(url=url)
    for name in Platform.__dataclass_fields__:
        setattr(state, name, getattr(fresh, name))
    state.private_key, state.public_key = generate_keypair()
    monkeypatch.setenv("PROCTOR_URL", url)
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return state


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    """A tar of regular files."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


IMAGE_CONFIG = canonical_bytes(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
)


def oci_members(config: bytes = IMAGE_CONFIG) -> dict[str, bytes]:
    """The files of an oci-archive with one image."""

    def blob(content: bytes) -> tuple[str, bytes]:
        return hashlib.sha256(content).hexdigest(), content

    config_hash, _ = blob(config)
    manifest = canonical_bytes({"config": {"digest": f"sha256:{config_hash}"}, "layers": []})
    manifest_hash, _ = blob(manifest)
    index = canonical_bytes({"manifests": [{"digest": f"sha256:{manifest_hash}"}]})
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": index,
        f"blobs/sha256/{manifest_hash}": manifest,
        f"blobs/sha256/{config_hash}": config,
    }


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A vendor's folder: a manifest and an image archive of more than two parts."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "proctor.toml").write_text(MANIFEST)
    layer = bytes(range(256)) * (12 * 2**20 // 256)
    write_tar(folder / "image.tar", oci_members() | {"blobs/sha256/layer": layer})
    return folder
