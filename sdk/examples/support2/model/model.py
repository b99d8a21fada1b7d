"""Predicts death within 61 days: a small neural network, evaluated in plain Python."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features import features

from proctor_sdk.runtime import answer, cases


class Network:
    """One hidden layer of rectifiers, and a logistic output."""

    def __init__(self, path: Path) -> None:
        weights = json.loads(path.read_text())
        self._means, self._spreads = weights["means"], weights["spreads"]
        self._hidden, self._hidden_bias = weights["hidden"], weights["hidden_bias"]
        self._output, self._output_bias = weights["output"], weights["output_bias"]

    def probability(self, inputs: Mapping[str, Any]) -> float:
        """Return the probability that the patient dies within 61 days."""
        given = features(inputs, self._means, self._spreads)
        hidden = [
            max(0.0, bias + _dot(row, given))
            for row, bias in zip(self._hidden, self._hidden_bias, strict=True)
        ]
        return 1 / (1 + math.exp(-(self._output_bias + _dot(self._output, hidden))))


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def main() -> None:
    """Answer every case; one that cannot be scored is answered "failed", never skipped."""
    network = Network(Path(__file__).parent / "weights.json")
    for case in cases():
        try:
            answer(case, scores={"died": network.probability(case.inputs)})
        except (TypeError, ValueError) as error:
            answer(case, status="failed", reason=type(error).__name__)


if __name__ == "__main__":
    main()
