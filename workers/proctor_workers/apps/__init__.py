"""One Celery application per worker process; each imports only what its own queues need."""
