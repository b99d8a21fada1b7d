"""The platform's own sections, in the order in which a regulator reads them."""

from proctor_backend.reporting.blocks import CoreSection
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.sections import (
    appendix,
    comparison,
    custody,
    environment,
    limitations,
    methods,
    performance,
    population,
    protocol,
    subgroups,
    summary,
)

# REPORT, "Our report": sections are versioned data; a change of the order is a new version.
SECTIONS_VERSION = 2
CLIENT_AFTER = "limitations"

_BUILDERS = (
    summary.summary,
    protocol.intended_use,
    protocol.protocol,
    custody.custody,
    population.flow,
    population.baseline,
    performance.primary,
    performance.secondary,
    comparison.comparison,
    subgroups.subgroups,
    performance.robustness,
    performance.indeterminate,
    limitations.limitations,
    methods.methods,
    environment.environment,
    appendix.fairness,
    appendix.vendor_parts,
    appendix.checklist,
    appendix.annex_iv,
    appendix.audit,
)


def core_sections(context: Context) -> list[CoreSection]:
    """Return every section of the platform for one edition."""
    return [build(context) for build in _BUILDERS]
