"""Reads outputs that a partner wrote in the contract's own tags."""

from proctor_sdk.canonical import CanonicalError, canonical_bytes, strict_loads
from proctor_sdk.outputs import LONGEST_ARRAY_LINE, OutputInvalidError, check_outputs
from proctor_workers.hidden_data.case_files import Refusal


def checked_outputs(content: bytes) -> str | Refusal:
    """Return the canonical JSON of an object in the contract's tags, or what is wrong with it."""
    if len(content) > LONGEST_ARRAY_LINE:
        return Refusal("is larger than 32 MiB", "Give fewer or smaller parts.")
    try:
        outputs = strict_loads(content)
    except CanonicalError:
        return Refusal(
            "is neither strict JSON nor an object that is read",
            "Write one JSON object, UTF-8, no NaN; or give a DICOM SEG, RTSTRUCT or SR, or a label "
            "map as NIfTI, NRRD, MHA, PNG or TIFF.",
        )
    if not isinstance(outputs, dict) or not outputs:
        return Refusal("is no JSON object of outputs", 'Write {"mask": …} or another known output.')
    try:
        check_outputs(outputs, ())
        return canonical_bytes(outputs).decode()
    except OutputInvalidError as error:
        return Refusal(f"is not as the contract has it: {error.message}", "Correct the file.")
    except CanonicalError:
        return Refusal(
            "holds an integer that is no double, or half a Unicode character", "Correct the file."
        )
