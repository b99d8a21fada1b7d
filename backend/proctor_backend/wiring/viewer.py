"""The process that shows reviewers the images."""

from fastapi import FastAPI

from proctor_backend.objects import ObjectStore
from proctor_backend.viewer.app import create_viewer
from proctor_backend.wiring.common import open_records, start


def create() -> FastAPI:
    """Return the application that uvicorn serves."""
    settings = start()
    return create_viewer(open_records(settings), ObjectStore.connect(settings), settings)
