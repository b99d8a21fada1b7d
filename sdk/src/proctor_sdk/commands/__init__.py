"""One module for each command, read when it is called."""
