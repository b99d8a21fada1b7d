"""Pure metrics of binary classification: values, curves and estimates; no input or output."""
