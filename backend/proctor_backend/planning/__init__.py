"""What a cohort of a given size can show: expected interval widths, power, required sizes.

Standard library only: the interface plans without loading a numeric library into its memory.
"""
