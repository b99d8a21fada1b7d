"""Removes what identifies a person: headers, dates, identifiers in text, burned-in text, faces."""
