"""Asks whether anything beside the pixels gives the reference standard away."""
