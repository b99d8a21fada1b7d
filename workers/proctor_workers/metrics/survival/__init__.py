"""Numbers of time-to-event predictions under right censoring."""
