"""The other side: a little object store that misbehaves as it is told, request by request."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


class Storage:
    """Objects by path; `faults` are used up one a request, then it behaves."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.asked: list[str] = []
        self.connections = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else self.always


def status(code: int) -> Fault:
    def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
        body = b"<Error><Code>Told so</Code></Error>"
        request.send_response(code)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def half(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """Promise everything, give half, hang up."""
    _head(request, len(content))
    request.wfile.write(content[: len(content) // 2])
    request.wfile.flush()
    request.close_connection = True


def shorter(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """Store half an object, and say so."""
    _whole(request, content[: len(content) // 2])


def other(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """Give as many bytes, one of them wrong."""
    _whole(request, content[:-1] + bytes([content[-1] ^ 1]))


def hang_up(request: BaseHTTPRequestHandler, _: bytes) -> None:
    """Close without an answer."""
    request.close_connection = True


def stall(seconds: float) -> Fault:
    def answer(request: BaseHTTPRequestHandler, content: bytes) -> None:
        _head(request, len(content))
        request.wfile.write(content[:10])
        request.wfile.flush()
        time.sleep(seconds)
        request.close_connection = True

    return answer


def trickle(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """Give a byte now and then, for ever."""
    _head(request, len(content))
    for place in range(len(content)):
        request.wfile.write(content[place : place + 1])
        request.wfile.flush()
        time.sleep(0.02)


def _head(request: BaseHTTPRequestHandler, length: int) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(length))
    request.end_headers()


def _whole(request: BaseHTTPRequestHandler, content: bytes) -> None:
    _head(request, len(content))
    request.wfile.write(content)


def _handler(storage: Storage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def setup(self) -> None:
            storage.connections += 1
            super().setup()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            storage.asked.append(self.path)
            fault = storage.next_fault()
            try:
                if fault is not None:
                    fault(self, storage.objects.get(path, b""))
                elif path in storage.objects:
                    _whole(self, storage.objects[path])
                else:
                    status(404)(self, b"")
            except OSError:
                self.close_connection = True  # the client had enough

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
