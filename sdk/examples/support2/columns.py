"""Which columns of SUPPORT2 are used, and as what; the inputs are those of the container's code."""

import sys
from pathlib import Path

MODEL = Path(__file__).parent / "model"
sys.path.insert(0, str(MODEL))
from features import FLAGS, LEVELS, NUMERIC  # noqa: E402 - found through the line above

INPUTS = (*NUMERIC, *FLAGS, *LEVELS)
ATTRIBUTES = ("sex", "race", "age", "dzgroup")
OUTCOME = "died_61d"
