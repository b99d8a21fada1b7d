"""A data partner, and the phantom generator's modules."""

import sys
from pathlib import Path

import pytest
from tests.data.partner_upload import Partner, new_partner

from proctor_backend.local import LocalStack

EXAMPLES = Path(__file__).resolve().parents[2] / "sdk" / "examples"
sys.path.insert(0, str(EXAMPLES / "phantom"))


@pytest.fixture
def partner(servers: LocalStack, tmp_path: Path) -> Partner:
    return new_partner(servers, tmp_path)
