"""Builds the public API on the services; which of them a role may use stands in `permissions`."""

from fastapi import Depends, FastAPI

from proctor_backend.api import (
    routes_cohorts,
    routes_entries,
    routes_people,
    routes_platform,
    routes_queries,
    routes_reports,
    routes_studies,
)
from proctor_backend.api.context import Tools, authorise
from proctor_backend.api.errors import add_error_handlers
from proctor_backend.api.middleware import BodyCap, SecurityHeaders
from proctor_backend.api.permissions import API
from proctor_backend.api.throttle import SIGN_INS_PER_MINUTE, Throttle
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.settings import Settings

ROUTERS = (
    routes_platform.router,
    routes_people.router,
    routes_studies.router,
    routes_cohorts.router,
    routes_entries.router,
    routes_reports.router,
    routes_reports.audit_router,
    routes_queries.router,
)


def create_api(records: Records, store: ObjectStore, settings: Settings) -> FastAPI:
    """Return the application; every route below /api/v1 passes the table of permissions."""
    app = FastAPI(
        title="Proctor",
        summary="Blind validation of medical AI",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.tools = Tools(records, store, settings, Throttle(SIGN_INS_PER_MINUTE, 60))
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(authorise)])
    add_error_handlers(app)
    app.add_middleware(SecurityHeaders, prefix=API)
    app.add_middleware(BodyCap, prefix=API)
    return app
