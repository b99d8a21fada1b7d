"""What each kind of task makes of outputs and reference standard."""
