"""Proctor workers: run, measure and compare next to hidden data."""
