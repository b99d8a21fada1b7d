"""The platform's own time per entry and per case, and an image's load."""

from statistics import median

from tests.bench.record import PAIRS, Row, median_interval
from tests.bench.stage import Stage, build_image, staged

SMALL, LARGE = 1_000, 10_000
FIXED_GOAL_S = 6.0
CASE_GOAL_MS = 2.0
BALLAST_MB = 300
PAIRS_OF_COHORTS, LOADS = 5, 3  # each takes half a minute


def rows() -> list[Row]:
    """Measure on one stack: small entries, then two large cohorts, then a large image."""
    with staged() as stage:
        return [fixed(stage), per_case(stage), image_load(stage)]


def fixed(stage: Stage) -> Row:
    """Time entries on 20 cases; the first one, into a cold stack, counts like the others."""
    study, (archive, _) = stage.study(20), build_image(stage.folder / "fixed")
    seconds = [stage.run(study, archive).platform_seconds for _ in range(PAIRS)]
    interval = median_interval(seconds)
    return Row(
        id="platform_fixed",
        what=f"platform time of an entry of 20 cases, median of {PAIRS}, first {seconds[0]:.1f} s; "
        "beyond upload, image load, container",
        unit="s",
        ours=median(seconds),
        interval=interval,
        goal=f"≤ {FIXED_GOAL_S:g} s",
        met=interval[1] <= FIXED_GOAL_S,
    )


def per_case(stage: Stage) -> Row:
    """Return the slope of everything from UPLOADED to DECIDED; each pair takes a minute."""
    archive, _ = build_image(stage.folder / "case")
    small, large = stage.study(SMALL), stage.study(LARGE)
    slopes = []
    for _ in range(PAIRS_OF_COHORTS):
        spent = [stage.run(study, archive) for study in (small, large)]
        few, many = (run.between("UPLOADED", "DECIDED") for run in spent)
        slopes.append(1000 * (many - few) / (LARGE - SMALL))
    return Row(
        id="platform_per_case",
        what=f"time a case between {SMALL:,} and {LARGE:,} cases at window 1, the model's own "
        f"included; {PAIRS_OF_COHORTS} pairs, the interval is their range",
        unit="ms",
        ours=median(slopes),
        interval=(min(slopes), max(slopes)),
        goal=f"≤ {CASE_GOAL_MS:g} ms",
        met=max(slopes) <= CASE_GOAL_MS,
    )


def image_load(stage: Stage) -> Row:
    """Return what a gigabyte more of image costs: fetched, opened, loaded into the engine."""
    study = stage.study(20)
    costs = []
    for number in range(LOADS):
        runs = []
        for ballast in (0, BALLAST_MB):
            folder = stage.folder / f"load-{number}"
            archive, _ = build_image(folder, ballast_mb=ballast)
            loaded = stage.run(study, archive).shards[0]["summary"]["image_load_seconds"]
            runs.append((archive.stat().st_size / 1e9, loaded))
        (small, quick), (large, slow) = runs
        costs.append((slow - quick) / (large - small))
    return Row(
        id="image_load",
        what=f"image load a GB: fetch, decrypt, load; images of {small:.2f} and {large:.2f} GB, "
        f"{LOADS} pairs, the interval is their range",
        unit="s",
        ours=median(costs),
        interval=(min(costs), max(costs)),
    )
