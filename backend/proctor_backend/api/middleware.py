"""What every request and answer passes: a cap on the body, headers that browsers obey."""

import json
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 2**20
# Bodies are small but for these; a longer one is cut off while it arrives.
LARGEST_BODY = 1 * MIB
LARGER_BODIES: Mapping[tuple[str, str], int] = {
    ("PUT", "/plugin"): 20 * MIB + 1,
    ("POST", "/close"): 8 * MIB,
    ("POST", "/uploads"): 2 * MIB,
}
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class _BodyTooLargeError(Exception):
    """The body passed its cap while it was read."""


class BodyCap:
    """Refuses a body above its route's cap, by its stated length or by its bytes."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Guard the paths below `prefix`; the dashboard's forms have their own."""
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        cap = _cap(scope["method"], scope["path"])
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > cap:
            await _refuse(send, cap)
            return
        await self._counted(scope, receive, send, cap)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, cap: int) -> None:
        arrived, begun, over = 0, False, False

        async def counted() -> Message:
            nonlocal arrived, over
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > cap:
                over = True
                raise _BodyTooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            # The framework answers a cut body with an error of its own; ours says why.
            if not over or begun:
                begun = True
                await send(message)

        try:
            await self._app(scope, counted, noted)
        except Exception:  # ours, or what a middleware made of it
            if not over:
                raise
        if over and not begun:
            await _refuse(send, cap)


class SecurityHeaders:
    """Adds the headers to every answer of the API."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Serve the paths below `prefix`; the dashboard's pages need a policy of their own."""
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add to the answer's head."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, headed)


def _cap(method: str, path: str) -> int:
    for (verb, end), cap in LARGER_BODIES.items():
        if method == verb and path.endswith(end):
            return cap
    return LARGEST_BODY


async def _refuse(send: Send, cap: int) -> None:
    error = {
        "code": "too_large",
        "message": "The request is larger than this route takes.",
        "cure": f"Send at most {cap // MIB} MiB; large files go to the presigned URLs.",
        "problems": [],
    }
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
