"""The server-rendered pages on the same services as the API; they work without scripts."""
