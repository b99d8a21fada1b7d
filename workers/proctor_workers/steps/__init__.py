"""The stops of the main line that a worker does: one module each, named after its verb."""
