"""Pure rules and values of the system of record; no input or output."""
