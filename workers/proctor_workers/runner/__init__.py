"""Runs foreign containers next to hidden data: lease, fetch, feed, collect, put."""
