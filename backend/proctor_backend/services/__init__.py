"""One verb per function: what somebody may do to the record, and what follows from it."""
