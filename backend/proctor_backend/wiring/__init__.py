"""Builds each process from its settings: the only place where parts are put together."""
