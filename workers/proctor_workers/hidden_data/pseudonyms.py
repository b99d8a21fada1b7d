"""Names that tell nothing: keyed hashes of a partner's identifiers, different in every cohort."""

import base64
import hashlib
import hmac

OLDEST_AGE = 89  # HIPAA 45 CFR 164.514(b)(2)(i)(C): ages over 89 are pooled
POOLED_AGE = 90


class Pseudonyms:
    """Derives every name of one cohort from its key."""

    def __init__(self, master_key: bytes, cohort: str) -> None:
        self._key = _mac(master_key, "cohort", cohort)

    def case(self, original: str) -> str:
        """Return the case's public id."""
        return "cas_" + self._name("case", original)

    def patient(self, original: str) -> str:
        """Return the patient's public id."""
        return "pat_" + self._name("patient", original)

    def imaging_study(self, original: str) -> str:
        """Return the imaging study's public id."""
        return "img_" + self._name("imaging study", original)

    def uid(self, original: str) -> str:
        """Return the commitment to an original UID, by which a partner can prove an origin."""
        return _mac(self._key, "uid", original).hex()

    def order(self, original: str) -> bytes:
        """Return the sort key that shuffles the cohort's cases."""
        return _mac(self._key, "order", original)

    def _name(self, kind: str, original: str) -> str:
        bits = _mac(self._key, kind, original)[:16]
        return base64.b32encode(bits).decode("ascii").rstrip("=").lower()


def pooled_age(years: float) -> float:
    """Return an age as it may be shown: above 89 everybody is 90."""
    return POOLED_AGE if years > OLDEST_AGE else years


def _mac(key: bytes, kind: str, text: str) -> bytes:
    return hmac.new(key, f"{kind}\0{text}".encode(), hashlib.sha256).digest()
