"""Compares a vendor's training images with a cohort, and tells a count."""
