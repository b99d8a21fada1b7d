"""Which covariates of a case a model may see: asked by its manifest and granted by the protocol."""

from collections.abc import Collection, Mapping
from typing import Any


def filter_inputs(case: Mapping[str, Any], granted: Collection[str]) -> dict[str, Any]:
    """Return a case as staged: its inputs cut to the granted names, everything else as it is."""
    inputs = case.get("inputs") or {}
    return {**case, "inputs": {name: inputs[name] for name in sorted(inputs) if name in granted}}
