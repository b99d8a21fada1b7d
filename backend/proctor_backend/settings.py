"""Every setting of every process, one sentence each; read from the environment, prefix PROCTOR_."""

from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a process is told when it starts."""

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    component: str = Field(default="api", description="Which row of the access table this is.")
    mongo_url: str = Field(default="", description="MongoDB connection string with credentials.")
    mongo_db: str = Field(default="proctor", description="Name of the database.")
    s3_endpoint: str = Field(default="", description="Address of the S3 service.")
    s3_public_endpoint: str = Field(
        default="", description="Address that presigned URLs name, if it differs from s3_endpoint."
    )
    s3_access_key: str = Field(default="", description="S3 access key of this component.")
    s3_secret_key: str = Field(default="", description="S3 secret key of this component.")
    s3_region: str = Field(default="us-east-1", description="Region that requests are signed for.")
    amqp_url: str = Field(default="", description="RabbitMQ address with credentials.")
    keys_dir: Path = Field(default=Path("keys"), description="Folder with this component's keys.")
    kms_key_id: str = Field(
        default="", description="AWS KMS key that signs; empty for the key file in keys_dir."
    )
    control_url: str = Field(default="", description="Address of the control service.")
    public_url: str = Field(default="", description="Address of the API and the dashboard.")
    viewer_url: str = Field(default="", description="Address of the image viewer.")
    runner_token: str = Field(default="", description="Secret a runner claims leases with.")
    work_dir: Path = Field(default=Path("work"), description="Folder for a process's own files.")
    cache_dir: str = Field(
        default="",
        description="Folder of a host's cache of canonical files, shared by its runners; empty "
        "for the folder cache in work_dir.",
    )
    cache_bytes: int = Field(
        default=64 * 2**30, description="Most bytes that the cache may hold; 0 keeps none."
    )
    report_image: Path = Field(
        default=Path("report-image.tar"),
        description="Image archive with the Python that report plugins run in.",
    )
    organisation: str = Field(
        default="Proctor", description="Organisation that issues the reports."
    )
    independence: str = Field(
        default="", description="Statement on independence and funding, printed in every report."
    )
    demonstration: bool = Field(
        default=False, description="Mark every page and report DEMONSTRATION."
    )
    lease_ttl_s: float = Field(default=30.0, description="A lease not renewed this long is lost.")
    sweep_every_s: float = Field(default=5.0, description="How often lost work is looked for.")
    retry_after_s: float = Field(
        default=5.0,
        description="Pause before a shard the platform failed is tried again, times the tries.",
    )
    resend_after_s: float = Field(
        default=60.0, description="A wake-up unanswered this long is sent again."
    )
    log_level: str = Field(default="INFO", description="Least severe log line that is written.")


@cache
def load_settings() -> Settings:
    """Return this process's settings, read once."""
    return Settings()
