"""Proctor backend: the system of record."""
