"""The demonstration: two studies through everything, over the HTTP API and the CLI only."""
