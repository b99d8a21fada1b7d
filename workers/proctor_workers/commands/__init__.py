"""What `proctor-worker` does, one module a command; each is imported when it is called."""
