"""From what a hospital has to an immutable cohort; `outline` is the place to begin."""
