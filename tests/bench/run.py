"""Measures Proctor: which rows there are, and which part measures each."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

# Run as a script, this folder would come first and hide modules of the standard library.
sys.path[0] = str(Path(__file__).resolve().parents[2])

# Each part measures its rows together; parts are imported when they run.
PARTS = {
    "entries": ("platform_fixed", "platform_per_case", "image_load"),
    "workers_memory": ("runner_memory", "measure_memory", "ingest_memory"),
    "interruptions": ("runner_killed", "lost_host"),
    "containers": ("streaming", "streaming_in_process", "sandbox_start"),
    "wakeups": ("queue",),
    "staging": ("staging_boto3", "staging_s5cmd", "staging_warm"),
    "api_memory": ("api_memory",),
    "segmentation": (
        "segmentation_monai",
        "segmentation_surface_distance",
        "segmentation_cohort",
    ),
    "measuring": (
        *("bootstrap_fairlearn", "bootstrap_scikit_learn", "bootstrap_scipy"),
        *("bootstrap_torchmetrics", "bootstrap_10k", "bootstrap_clustered", "bootstrap_linear"),
        *("bootstrap_memory", "delong", "delong_ties", "delong_clustered", "delong_paired"),
    ),
    "detection": ("detection_summary", "detection_froc", "detection_precision"),
    "survival": ("survival_concordance", "survival_concordance_all_pairs"),
    "volumes": ("nifti_gz_ct", "nifti_gz_mr", "nifti_gz_labels"),
    "ingesting": ("ingest_speed", "ingest_files_memory"),
    "decoding": ("decode_jpeg_ls", "decode_jpeg_lossless", "decode_raw"),
    "durations": ("make_demo", "demo_again", "tests"),
}


def main() -> None:
    """Measure what is asked for and print every row there is; a missed goal is no failure."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--only", action="append", default=[], help="a row or a part; repeatable")
    only = set(words.parse_args().only)
    order = [name for names in PARTS.values() for name in names]
    if unknown := only - {*PARTS, *order}:
        words.error(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(order)}")
    record = importlib.import_module("tests.bench.record")
    kept = []
    for part, names in PARTS.items():
        wanted = only & {part, *names} or not only
        if wanted:
            print(f"measuring {part} …", file=sys.stderr, flush=True)
            kept = record.keep(importlib.import_module(f"tests.bench.{part}").rows(), order)
    _show(kept)


def _show(rows: Sequence[dict[str, object]]) -> None:
    table = Table("id", "ours", "reference", "ratio", "interval", "goal", "met")
    for row in rows:
        table.add_row(
            str(row["id"]),
            f"{row['ours']:g} {row['unit']}",
            f"{row['reference']:g}" if row["reference"] is not None else "",
            f"{row['ratio']:g}" if row["ratio"] is not None else "",
            str(row["interval"] or ""),
            str(row["goal"]),
            {True: "yes", False: "NO", None: ""}[row["met"]],  # type: ignore[index]
        )
    Console(width=max(120, Console().width)).print(table)


if __name__ == "__main__":
    main()
