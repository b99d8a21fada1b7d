"""Pure statistics: estimators, intervals, resampling and tests; no input or output."""
