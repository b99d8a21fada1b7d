"""Ways to drive a model: the own contract proctor/v1, and adapters behind the same interface."""
