"""Turns what a data partner uploads into a cohort that can be examined on without being known."""
