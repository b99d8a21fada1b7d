"""Names that tell nothing: keyed hashes of a partner's identifiers, different in every cohort."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

OLDEST_AGE = 89  # HIPAA 45 CFR 164.514(b)(2)(i)(C): ages over 89 are pooled
POOLED_AGE = 90


LONGEST_SHIFT_DAYS = 365


@dataclass(frozen=True, slots=True)
class PatientKeys:
    """What replaces the identifiers in one patient's files; reveals neither patient nor date."""

    uid_key: bytes  # the cohort's: a UID is replaced by the same one wherever it stands
    date_shift_days: int  # the patient's: 1 to LONGEST_SHIFT_DAYS, added with a minus sign
    names: tuple[str, ...] = ()  # the patient's own identifiers, to be looked for in text

    def replaced_uid(self, original: str) -> str:
        """Return the UID that stands for this one in the cohort (PS3.5 B.2, from 128 bits)."""
        return "2.25." + str(int.from_bytes(_mac(self.uid_key, "uid", original)[:16]))


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

    def scanner(self, original: str) -> str:
        """Return what a machine is called in the cohort: a station's name is a place's."""
        return "scanner " + self._name("scanner", original)[:6]

    def patient_keys(self, original: str) -> PatientKeys:
        """Return what replaces the identifiers in this patient's files."""
        shift = int.from_bytes(_mac(self._key, "dates", original)[:8])
        return PatientKeys(
            uid_key=_mac(self._key, "replaced uids", ""),
            date_shift_days=1 + shift % LONGEST_SHIFT_DAYS,
            names=(original,),
        )

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
