"""Trains the model on the public part; the same weights every time, in a few seconds on a CPU."""

import json
import statistics

import torch
from columns import MODEL
from features import NUMERIC, features, raw_numbers
from patients import patients

SEED = 20261121
WIDTH = 16
EPOCHS = 100
HELD_OUT = 5  # every fifth patient of the public part checks, the rest train


def standards(rows: list[dict[str, str]]) -> tuple[list[float], list[float]]:
    """Return mean and spread of every numeric input, from training patients only."""
    columns = zip(*(raw_numbers(row) for row in rows), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return [statistics.fmean(c) for c in known], [statistics.pstdev(c) or 1.0 for c in known]


def fit(inputs: torch.Tensor, outcomes: torch.Tensor) -> torch.nn.Sequential:
    """Fit one hidden layer with weight decay."""
    network = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 1)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1.0)
    loss_of = torch.nn.BCEWithLogitsLoss()
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        loss_of(network(inputs).squeeze(1), outcomes).backward()
        optimiser.step()
    return network


def auroc(scores: list[float], outcomes: list[float]) -> float:
    """Return the probability that a positive outranks a negative, ties counting half."""
    positive = [s for s, y in zip(scores, outcomes, strict=True) if y]
    negative = [s for s, y in zip(scores, outcomes, strict=True) if not y]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def youden(scores: list[float], outcomes: list[float]) -> float:
    """Return the threshold, in hundredths, with the largest sensitivity plus specificity."""

    def index(threshold: float) -> float:
        hits = [s >= threshold for s in scores]
        positives = sum(outcomes)
        true_positive = sum(y for h, y in zip(hits, outcomes, strict=True) if h)
        true_negative = sum(1 - y for h, y in zip(hits, outcomes, strict=True) if not h)
        return true_positive / positives + true_negative / (len(outcomes) - positives)

    return max((step / 100 for step in range(1, 100)), key=index)


def train() -> dict[str, object]:
    """Return the weights, and how the model did on the held-out part of the public data."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    public = [row for row in patients() if row["part"] == "training"]
    check, rows = public[::HELD_OUT], [r for i, r in enumerate(public) if i % HELD_OUT]
    means, spreads = standards(rows)

    def tensors(part: list[dict[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = torch.tensor([features(row, means, spreads) for row in part])
        return inputs, torch.tensor([float(row["died_61d"]) for row in part])

    network = fit(*tensors(rows))
    held_inputs, held_outcomes = tensors(check)
    with torch.no_grad():
        scores = torch.sigmoid(network(held_inputs)).squeeze(1).tolist()
    first, last = network[0], network[2]
    return {
        "inputs": list(NUMERIC),
        "means": means,
        "spreads": spreads,
        "hidden": first.weight.tolist(),
        "hidden_bias": first.bias.tolist(),
        "output": last.weight[0].tolist(),
        "output_bias": last.bias.item(),
        "trained_on": len(rows),
        "held_out": {
            "patients": len(check),
            "auroc": round(auroc(scores, held_outcomes.tolist()), 4),
            "youden_threshold": youden(scores, held_outcomes.tolist()),
        },
    }


def main() -> None:
    """Write model/weights.json."""
    weights = train()
    (MODEL / "weights.json").write_text(json.dumps(weights, indent=1) + "\n")
    print(f"trained on {weights['trained_on']} public patients; held out: {weights['held_out']}")


if __name__ == "__main__":
    main()
