"""S3: objects by key, presigned URLs, multipart uploads.

Nothing here relies on metadata, conditional writes or policies: keys are digests or ids, who writes
checks on write, who reads checks on read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from proctor_backend.domain.errors import DataError, NotFoundError, PlatformError
from proctor_backend.settings import Settings

MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchBucket"})
URL_LIFETIME_S = 900


class ObjectStore:
    """The buckets that one component's credentials open."""

    def __init__(self, client: Any, presigner: Any) -> None:
        """Use `client` for our own requests and `presigner` for URLs that others will use."""
        self._client = client
        self._presigner = presigner

    @classmethod
    def connect(cls, settings: Settings) -> "ObjectStore":
        """Open the store that the settings name."""
        client = _client(settings, settings.s3_endpoint)
        outside = settings.s3_public_endpoint
        return cls(client, _client(settings, outside) if outside else client)

    def get(self, bucket: str, key: str, *, sha256: str | None = None) -> bytes:
        """Return an object's bytes, checked against `sha256` if given.

        Raises:
            NotFoundError: there is no such object.
            DataError: the bytes are not those of the digest.
        """
        with self.open(bucket, key) as body:
            content = body.read()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise DataError("A stored object does not match its digest.", cure="Restore it.")
        return content

    def open(self, bucket: str, key: str) -> IO[bytes]:
        """Open an object as a stream."""
        with _Translated(bucket):
            return cast("IO[bytes]", self._client.get_object(Bucket=bucket, Key=key)["Body"])

    def put(self, bucket: str, key: str, content: bytes | IO[bytes]) -> None:
        """Store an object (small ones as bytes, large ones as a seekable stream)."""
        with _Translated(bucket):
            if isinstance(content, bytes):
                self._client.put_object(Bucket=bucket, Key=key, Body=content)
            else:
                self._client.upload_fileobj(content, bucket, key)

    def size(self, bucket: str, key: str) -> int | None:
        """Return an object's size in bytes, None if there is none."""
        try:
            with _Translated(bucket):
                return int(self._client.head_object(Bucket=bucket, Key=key)["ContentLength"])
        except NotFoundError:
            return None

    def exists(self, bucket: str, key: str) -> bool:
        """Tell whether there is such an object."""
        return self.size(bucket, key) is not None

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with _Translated(bucket):
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", ()))

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        with _Translated(bucket):
            self._client.delete_object(Bucket=bucket, Key=key)

    def presign_get(self, bucket: str, key: str, *, seconds: int = URL_LIFETIME_S) -> str:
        """Return a URL that reads one object for a while."""
        return self._presign("get_object", bucket, key, seconds)

    def presign_put(self, bucket: str, key: str, *, seconds: int = URL_LIFETIME_S) -> str:
        """Return a URL that writes one object for a while."""
        return self._presign("put_object", bucket, key, seconds)

    def begin_multipart(self, bucket: str, key: str) -> str:
        """Begin an upload in parts; return its id."""
        with _Translated(bucket):
            begun = self._client.create_multipart_upload(Bucket=bucket, Key=key)
        return str(begun["UploadId"])

    def presign_part(
        self, bucket: str, key: str, upload: str, number: int, *, seconds: int = URL_LIFETIME_S
    ) -> str:
        """Return a URL that writes one part (numbers from 1) of an upload."""
        more = {"UploadId": upload, "PartNumber": number}
        return self._presign("upload_part", bucket, key, seconds, **more)

    def stored_parts(self, bucket: str, key: str, upload: str) -> dict[int, str]:
        """Return number → ETag of the parts that arrived.

        Raises:
            NotFoundError: the upload is unknown, as after a restart of the store.
        """
        with _Translated(bucket):
            pages = self._client.get_paginator("list_parts").paginate(
                Bucket=bucket, Key=key, UploadId=upload
            )
            return {p["PartNumber"]: p["ETag"] for page in pages for p in page.get("Parts", ())}

    def complete_multipart(
        self, bucket: str, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        """Join the parts, given as (number, ETag) in order."""
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        with _Translated(bucket):
            self._client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}
            )

    def abort_multipart(self, bucket: str, key: str, upload: str) -> None:
        """Forget an upload and its parts."""
        with _Translated(bucket):
            self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)

    def _presign(self, verb: str, bucket: str, key: str, seconds: int, **more: Any) -> str:
        return str(
            self._presigner.generate_presigned_url(
                verb, Params={"Bucket": bucket, "Key": key} | more, ExpiresIn=seconds
            )
        )


class _Translated:
    """Turns the client's errors into ours; the cause stays chained."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in MISSING:
                raise NotFoundError(f"There is no such object in bucket {self._bucket}.") from error
            raise PlatformError(
                f"The object store refused a request on bucket {self._bucket} ({code}).",
                cure="Check that the bucket exists and that this component's key opens it.",
            ) from error
        if isinstance(error, BotoCoreError):
            raise PlatformError(
                "The object store does not answer.",
                cure="Start it again; the step is repeated by itself.",
            ) from error


def _client(settings: Settings, endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"max_attempts": 4, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            # Checksums in trailers are refused by several S3 servers; we check digests ourselves.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
