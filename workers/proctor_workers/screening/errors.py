"""Why an image is refused: the vendor's move, told with a reason code and a cure."""

from proctor_backend.domain.errors import ProctorError
from proctor_sdk.reasons import ReasonCode


class ImageRefusedError(ProctorError):
    """The vendor's archive does not pass screening; `reason` is what the record keeps."""

    code = "image_refused"
    status = 422
    reason: ReasonCode = ReasonCode.IMAGE_REJECTED


class ImageInvalidError(ImageRefusedError):
    """The archive cannot be read as what it says it is."""

    code = "image_invalid"
    reason = ReasonCode.IMAGE_INVALID


class ImageRejectedError(ImageRefusedError):
    """The archive reads well, but breaks a rule."""

    code = "image_rejected"
    reason = ReasonCode.IMAGE_REJECTED
