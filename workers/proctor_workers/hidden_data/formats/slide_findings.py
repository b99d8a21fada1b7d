"""What is found in whole slides of either kind."""

from proctor_workers.hidden_data.findings import Finding, Severity

PLAIN_PROFILES = frozenset({"none", "srgb"})


def missing_resolution(file: str) -> Finding:
    """Return that a slide tells no scale."""
    return Finding(
        code="slide.missing_resolution",
        severity=Severity.WARNING,
        message="The slide does not say how large a pixel is.",
        cure="Export it with its resolution, or models cannot tell the scale.",
        file=file,
    )


def missing_magnification(file: str) -> Finding:
    """Return that a slide names no objective."""
    return Finding(
        code="slide.missing_magnification",
        severity=Severity.NOTE,
        message="The slide does not say by which objective it was scanned.",
        file=file,
    )


def colour_profile_dropped(profile: str, file: str) -> Finding:
    """Return that colours were meant to be converted, and are not."""
    return Finding(
        code="image.colour_profile",
        severity=Severity.WARNING,
        message="Its colours are meant for another colour space than sRGB; they are kept as "
        "stored, without the profile.",
        cure="Ask whether the device applies profiles; if so, export the slides in sRGB.",
        file=file,
        values={"profile": profile},
    )
