"""The control service's routes: a runner's only way to the record and to objects."""

import contextlib
import hmac
import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from proctor_backend.control.relay import Relay
from proctor_backend.control.sweeper import Sweeper
from proctor_backend.domain.errors import NotSignedInError, ProctorError, StateConflictError
from proctor_backend.domain.evaluation import Failure
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Records
from proctor_backend.services import lease as leases
from proctor_backend.services import record as recording
from proctor_backend.services.schedule import RunnerWord, note_runner, to_forget
from proctor_backend.settings import Settings
from proctor_sdk.reasons import ReasonCode


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunnerBody(_Body):
    """What a runner says of itself: bytes on its host by block, images that are loaded."""

    runner: str = Field(max_length=200)
    host: str = Field(max_length=200)
    held: dict[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], int] = Field(
        default_factory=dict, max_length=2000
    )
    images: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=100)

    def word(self) -> RunnerWord:
        """The same as the services take it."""
        return RunnerWord(
            runner=self.runner, host=self.host, held=self.held, images=tuple(self.images)
        )


class ClaimBody(RunnerBody):
    """What a runner wants to hold."""

    shard: str | None = None
    report: str | None = None


class FilesBody(_Body):
    """Files of one block whose URLs are wanted."""

    block: str = Field(max_length=100)
    sha256: list[str] = Field(max_length=2000)


class PartBody(_Body):
    """A part of the predictions, before and after it is stored."""

    seq: int = Field(ge=0, le=999_999)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=2**31)
    cases: int = Field(ge=0)


class DoneBody(_Body):
    """The end of a shard."""

    summary: dict[str, Any]
    log: str | None = Field(default=None, max_length=1_000_000)


class FailedBody(_Body):
    """The failure of a shard."""

    kind: Literal["vendor", "data", "platform"]
    reason_code: ReasonCode
    detail: str = Field(default="", max_length=100_000)
    log: str | None = Field(default=None, max_length=1_000_000)


class SectionsBody(_Body):
    """A client's report sections, or why there are none."""

    sections: list[dict[str, Any]] | None = None
    failure: str = Field(default="", max_length=2000)


def create_control(
    records: Records,
    store: ObjectStore,
    settings: Settings,
    private_key: bytes,
    relay: Relay,
    sweeper: Sweeper,
) -> FastAPI:
    """Return the control application; relay and sweeper run beside it in threads."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        threads = [
            threading.Thread(target=loop, args=(stop,), name=name, daemon=True)
            for name, loop in (("relay", relay.run), ("sweeper", sweeper.run))
        ]
        for thread in threads:
            thread.start()
        yield
        stop.set()
        for thread in threads:
            thread.join(timeout=10)

    app = FastAPI(title="Proctor control", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(ProctorError, _answer_error)
    _health(app, records)
    _claims(app, records, store, settings, private_key)
    _work(app, records, store, settings)
    return app


def _health(app: FastAPI, records: Records) -> None:
    @app.get("/health")
    def health(response: Response) -> dict[str, str]:
        """Tell whether the database answers."""
        alive = records.is_alive()
        response.status_code = 200 if alive else 503
        return {"status": "ok" if alive else "database away"}


def _claims(
    app: FastAPI, records: Records, store: ObjectStore, settings: Settings, private_key: bytes
) -> None:
    @app.post("/leases")
    def claim(body: ClaimBody, authorization: Annotated[str, Header()] = "") -> Doc:
        """Lease a shard, or the making of a report's client sections."""
        _require_runner(settings, authorization)
        word = body.word()
        if body.shard:
            return leases.claim_shard(records, store, settings, private_key, body.shard, word)
        if body.report:
            who = {"runner": body.runner, "host": body.host}
            return leases.claim_sections(records, settings, body.report, **who)
        raise StateConflictError("Name a shard or a report.")

    @app.post("/runners")
    def tell(body: RunnerBody, authorization: Annotated[str, Header()] = "") -> Doc:
        """Note that a runner lives, and what its host holds; return what it must forget."""
        _require_runner(settings, authorization)
        note_runner(records, body.word())
        return {"forget": to_forget(records, body.word())}


def _require_runner(settings: Settings, authorization: str) -> None:
    if not hmac.compare_digest(_bearer(authorization), settings.runner_token):
        raise NotSignedInError("This is not a runner's token.")


def _work(app: FastAPI, records: Records, store: ObjectStore, settings: Settings) -> None:
    held: Callable[..., tuple[str, Doc]] = _holder(records)

    @app.post("/leases/{lease_id}/renew")
    def renew(lease: Annotated[tuple[str, Doc], Depends(held)]) -> Doc:
        """Prolong the lease."""
        return leases.renew(records, settings, *lease)

    @app.post("/leases/{lease_id}/files")
    def files(body: FilesBody, lease: Annotated[tuple[str, Doc], Depends(held)]) -> Doc:
        """Return URLs for files of one of the lease's blocks."""
        return {"urls": leases.presign_files(records, store, lease[1], body.block, body.sha256)}

    @app.post("/leases/{lease_id}/parts")
    def begin_part(body: PartBody, lease: Annotated[tuple[str, Doc], Depends(held)]) -> Doc:
        """Return the URL to store a part of the predictions."""
        return {"url": leases.presign_part(records, store, lease[1], body.model_dump())}

    @app.post("/leases/{lease_id}/parts/{seq}/commit", status_code=204)
    def commit_part(
        seq: int, body: PartBody, lease: Annotated[tuple[str, Doc], Depends(held)]
    ) -> None:
        """Note that a part is stored."""
        recording.record_part(records, lease[1], body.model_dump() | {"seq": seq})

    @app.post("/leases/{lease_id}/done", status_code=204)
    def done(body: DoneBody, lease: Annotated[tuple[str, Doc], Depends(held)]) -> None:
        """Note that every case of the shard is answered."""
        recording.record_shard(records, lease[1], body.summary, body.log)

    @app.post("/leases/{lease_id}/failed", status_code=204)
    def failed(body: FailedBody, lease: Annotated[tuple[str, Doc], Depends(held)]) -> None:
        """Note a failure, whoever is to blame."""
        recording.record_failure(
            records,
            lease[1],
            Failure(kind=body.kind, code=body.reason_code, detail=body.detail, log=body.log or ""),
            retry_after_s=settings.retry_after_s,
        )

    @app.post("/leases/{lease_id}/give-back", status_code=204)
    def give_back(lease: Annotated[tuple[str, Doc], Depends(held)]) -> None:
        """Let another runner have the shard: this one ends."""
        recording.give_back(records, lease[1])

    @app.post("/leases/{lease_id}/sections", status_code=204)
    def sections(body: SectionsBody, lease: Annotated[tuple[str, Doc], Depends(held)]) -> None:
        """Note a client's sections."""
        recording.record_sections(records, lease[1], body.sections, body.failure)


def _holder(records: Records) -> Callable[..., tuple[str, Doc]]:
    def held(lease_id: str, authorization: Annotated[str, Header()] = "") -> tuple[str, Doc]:
        return leases.holder(records, lease_id, _bearer(authorization))

    return held


def _bearer(header: str) -> str:
    return header.removeprefix("Bearer ").strip()


def _answer_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ProctorError):
        raise error
    body = {"error": error.as_dict()}
    if isinstance(error, StateConflictError):
        body["error"]["code"] = "not_claimable"
    return JSONResponse(body, status_code=error.status)
