"""Recognises the same picture in two places: by its stored values, or by how it looks."""
