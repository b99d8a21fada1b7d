"""Foreign code runs here: one policy, an engine's CLI, one way to read what comes out."""
