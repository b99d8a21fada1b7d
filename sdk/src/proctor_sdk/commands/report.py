"""`proctor report`: fetches an edition's package; `proctor verify` then checks it."""

import argparse

from proctor_sdk.commands.connection import connect
from proctor_sdk.errors import ProctorSdkError


def run(arguments: argparse.Namespace) -> int:
    """Write the package of a report, or of the report of an entry."""
    with connect() as client:
        report = arguments.report
        if report.startswith("ent_"):
            report = client.get(f"/entries/{report}").get("report")
        if not report:
            raise ProctorSdkError(
                "no_report",
                "The entry has no report yet.",
                cure=f"See `proctor status {arguments.report}`.",
            )
        content = client.get_bytes(f"/reports/{report}/editions/{arguments.edition}")
    try:
        arguments.output.write_bytes(content)
    except OSError as error:
        raise ProctorSdkError(
            "file_unwritable", f"{arguments.output} cannot be written: {error.strerror}."
        ) from error
    print(f"wrote {arguments.output} ({len(content):,} bytes)")
    print(f"check it: proctor verify {arguments.output} --trust trust.json")
    return 0
