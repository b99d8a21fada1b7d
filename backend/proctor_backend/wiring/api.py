"""The public process: the API with the dashboard at its root."""

from fastapi import FastAPI

from proctor_backend.api.app import create_api
from proctor_backend.dashboard.app import create_dashboard
from proctor_backend.objects import ObjectStore
from proctor_backend.wiring.common import open_records, start


def create() -> FastAPI:
    """Return the application that uvicorn serves."""
    settings = start()
    records, store = open_records(settings), ObjectStore.connect(settings)
    app = create_api(records, store, settings)
    app.mount("/", create_dashboard(records, store, settings))
    return app
