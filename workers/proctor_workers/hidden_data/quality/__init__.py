"""Says honestly what is wrong with a cohort, before anybody is examined on it."""
