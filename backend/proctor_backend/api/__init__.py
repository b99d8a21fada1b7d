"""The public HTTP API: routes, who may call them, and how failure is told."""
