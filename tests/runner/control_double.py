"""Control and object storage in one small server: leases with fences, parts, faults on demand."""

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from proctor_sdk.encrypt import generate_keypair, read_header, seal, unwrap

TTL_S = 30


class ControlDouble:
    """One shard: granted once at a time; `fence` counts the grants."""

    def __init__(self, image: Any, task: dict[str, Any]) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: list[dict[str, Any]] = []
        self.ended: Any = None
        self.fence = 0
        self.lost = self.cancelled = False
        self.away = 0  # so many requests are answered 503
        self.changes: dict[str, Any] = {}
        self.served: Counter[str] = Counter()  # bytes by kind of object
        self.asked: list[str] = []  # objects in the order of their requests
        self.slow: dict[str, float] = {}  # seconds before an object is given, by prefix of its key
        self.forget: list[str] = []  # blocks that runners must remove
        self.told: list[dict[str, Any]] = []  # what runners said of themselves
        self._task = task
        self._blocks: list[dict[str, Any]] = []
        self._lists: dict[str, str] = {}
        self._image: dict[str, Any] = {"url": ""}
        if image is not None:
            self._sealed(image)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _sealed(self, image: Any) -> None:
        private, public = generate_keypair()
        with image.archive.open("rb") as stream:
            sealed = b"".join(seal(stream, image.archive.stat().st_size, public))
        self.objects["image"] = sealed
        with _opened(sealed) as stream:
            key = unwrap(read_header(stream), private)
        self._image = {
            "sealed_sha256": hashlib.sha256(sealed).hexdigest(),
            "sealed_size": len(sealed),
            "data_key": base64.b64encode(key).decode(),
            "config_digest": image.config_digest,
        }

    def add_file(self, content: bytes) -> dict[str, Any]:
        """Store a file; returns its line in a case."""
        digest = hashlib.sha256(content).hexdigest()
        self.objects[f"files/{digest}"] = content
        return {"name": "0.dcm", "role": "image", "sha256": digest, "size": len(content)}

    def add_block(self, name: str, cases: list[dict[str, Any]], *, upcoming: bool = False) -> None:
        content = b"".join(json.dumps(case).encode() + b"\n" for case in cases)
        self.objects[f"blocks/{name}"] = content
        digest = hashlib.sha256(content).hexdigest()
        self._lists[digest] = f"blocks/{name}"
        block = {"block": name, "cases": len(cases), "sha256": digest}
        if upcoming:
            self.changes["upcoming"] = {"blocks": [block]}
        else:
            self._blocks.append(block)

    def answers(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for part in self.parts:
            content = self.objects[part["key"]]
            assert hashlib.sha256(content).hexdigest() == part["sha256"]
            lines += [json.loads(line) for line in content.splitlines()]
        return lines

    def grant(self) -> dict[str, Any]:
        self.fence += 1
        lease = {"id": f"lse_{self.fence}", "token": f"token{self.fence}", "fence": self.fence}
        limits = {
            "memory_mb": 96, "cpus": 1, "pids": 32, "tmp_mb": 8, "output_mb": 4, "log_kb": 64,
            "seconds_per_case": 5, "seconds_total": 300, "start_seconds": 5,
        }  # fmt: skip
        return {
            "lease": lease | {"renew_every_s": 0.2, "ttl_s": TTL_S},
            "job": "shard", "shard": "shd_1", "evaluation": "eva_1", "attempt": "att_1",
            "kind": "conformance", "image": self._image | {"url": f"{self.url}/objects/image"},
            "manifest": {"indeterminate": {"reasons": []}}, "limits": limits, "task": self._task,
            "attempt_key": base64.b64encode(b"k" * 32).decode(), "window": 1, "isolation": "run",
            "runtime": "any", "gpu": False, "restarts": 0,
            "blocks": self._blocks, "upcoming": None,
            "answered": [
                part | {"url": f"{self.url}/objects/{part['key']}"} for part in self.parts
            ],
        } | self.changes  # fmt: skip

    def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/runners":
            self.told.append(body)
            return 200, {"forget": self.forget}
        if path == "/leases":
            return (200, self.grant()) if token == "runner" and not self.ended else (409, {})
        _, _, lease, *verb = path.split("/")
        if self.lost or lease != f"lse_{self.fence}" or token != f"token{self.fence}":
            return 410, {}
        answer: tuple[int, Any] = getattr(self, f"_{verb[0]}")(body, *verb[1:])
        return answer

    def _renew(self, _: Any) -> tuple[int, Any]:
        return 200, {"expires_at": "", "cancelled": self.cancelled}

    def _files(self, body: Any) -> tuple[int, Any]:
        places = {sha: self._lists.get(sha, f"files/{sha}") for sha in body["sha256"]}
        return 200, {"urls": {sha: f"{self.url}/objects/{at}" for sha, at in places.items()}}

    def _parts(self, body: Any, *commit: str) -> tuple[int, Any]:
        key = f"predictions/{self.fence}/{body['seq']}"
        if not commit:
            return 200, {"url": f"{self.url}/objects/{key}"}
        self.parts.append(body | {"key": key, "fence": self.fence})
        return 204, None

    def _done(self, body: Any) -> tuple[int, Any]:
        self.ended = {"state": "DONE"} | body
        return 204, None

    def _failed(self, body: Any) -> tuple[int, Any]:
        self.ended = {"state": "FAILED"} | body
        return 204, None

    def _sections(self, body: Any) -> tuple[int, Any]:
        self.ended = body
        return 204, None


def _opened(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def _handler(control: ControlDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self._body() or b"{}")
            if control.away:
                control.away -= 1
                return self._answer(503, b"{}")
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, document = control.post(self.path, token, body)
            return self._answer(status, b"" if document is None else json.dumps(document).encode())

        def do_GET(self) -> None:
            key = self.path.removeprefix("/objects/").partition("?")[0]
            content = control.objects.get(key)
            control.served[key.partition("/")[0]] += len(content or b"")
            control.asked.append(key)
            time.sleep(max((s for at, s in control.slow.items() if key.startswith(at)), default=0))
            self._answer(404 if content is None else 200, content or b"")

        def do_PUT(self) -> None:
            control.objects[self.path.removeprefix("/objects/")] = self._body()
            self._answer(200, b"")

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if status != 204 else b"")

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def opened(image: Any, task: dict[str, Any]) -> Iterator[ControlDouble]:
    control = ControlDouble(image, task)
    yield control
    control.close()
