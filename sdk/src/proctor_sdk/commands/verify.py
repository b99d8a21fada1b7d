"""`proctor verify`: checks a package against the keys you pinned, without a network."""

import argparse

from proctor_sdk.trust import read_trust
from proctor_sdk.verify import verify_package


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each thing that holds; what does not hold is raised."""
    verified = verify_package(arguments.package, read_trust(arguments.trust))
    for line in verified.lines:
        print(f"ok  {line}")
    print(f"VERIFIED  {verified.edition} edition of {verified.report}")
    return 0
