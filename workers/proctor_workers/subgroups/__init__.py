"""Pure comparison of groups of patients: levels, tests, contrasts, conclusions."""
