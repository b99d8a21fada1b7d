"""Masks held against masks: overlap, surface distances, skeletons, and a cohort of them."""
