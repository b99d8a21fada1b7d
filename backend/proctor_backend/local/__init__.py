"""The whole platform on one machine: real servers and Proctor's processes under one folder."""

from proctor_backend.local.stack import AlreadyRunningError, LocalStack

__all__ = ["AlreadyRunningError", "LocalStack"]
