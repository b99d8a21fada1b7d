"""Generated credentials and keys: made once, each component given only its own."""

import secrets
import shutil
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from proctor_backend.access import ACCESS, KEYS
from proctor_backend.local.layout import Home, read_json, write_json, write_private
from proctor_sdk.encrypt import encode_key

DATABASE = "proctor"
ADMIN = "admin"
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Secrets:
    """Every generated password of one stack, by a dotted name."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        """Return one secret."""
        return self.values[name]


def _word(length: int = 40) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _wanted() -> dict[str, int]:
    """Return the names of all secrets, with the length of each."""
    wanted = {"stack.tag": 24, "mongo.admin": 40, "mongo.keyfile": 512, "amqp.admin": 40}
    wanted |= {"amqp.cookie": 40, "runner.token": 43}
    for name, access in ACCESS.items():
        if access.mongo:
            wanted[f"mongo.{name}"] = 40
        if access.buckets:
            wanted |= {f"s3.{name}.key": 20, f"s3.{name}.secret": 40}
        if access.amqp:
            wanted[f"amqp.{name}"] = 40
    return wanted


def make_secrets(home: Home) -> Secrets:
    """Return the stack's secrets, generating those that do not exist yet."""
    known = read_json(home.secrets)
    missing = {name: _word(length) for name, length in _wanted().items() if name not in known}
    if missing:
        write_json(home.secrets, known | missing)
    return Secrets(known | missing)


def make_keys(home: Home) -> None:
    """Generate the missing keys, and give every component copies of its own ones only."""
    _make_pair(home, "encryption", _x25519)
    _make_pair(home, "signing", _ed25519)
    _make_pair(home, "ingest", _x25519)
    singles = {name for names in KEYS.values() for name in names}
    for name in sorted(singles):
        if not (home.keys / name).exists():
            write_private(home.keys / name, encode_key(secrets.token_bytes(32)))
    for component, names in KEYS.items():
        folder = home.component(component) / "keys"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        for name in names:
            write_private(folder / name, (home.keys / name).read_bytes())


def _x25519() -> tuple[bytes, bytes]:
    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def _ed25519() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def _make_pair(home: Home, name: str, generate: Callable[[], tuple[bytes, bytes]]) -> None:
    if (home.keys / f"{name}.key").exists():
        return
    private, public = generate()
    write_private(home.keys / f"{name}.pub", encode_key(public))
    write_private(home.keys / f"{name}.key", encode_key(private))


def rotate_signing_key(home: Home) -> None:
    """Replace the signing key; the old public key stays trusted for what it signed."""
    retired = home.keys / "retired"
    retired.mkdir(mode=0o700, exist_ok=True)
    public = home.keys / "signing.pub"
    public.rename(retired / f"signing.{len(list(retired.iterdir())) + 1}.pub")
    (home.keys / "signing.key").unlink()
    make_keys(home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the components find each other, each `host:port`."""

    mongo: str
    s3: str
    amqp: str
    api: str
    control: str
    viewer: str

    @classmethod
    def loopback(cls, ports: Mapping[str, int]) -> "Addresses":
        """Return the addresses of a stack on one machine."""
        names = ("mongo", "s3", "amqp", "api", "control", "viewer")
        return cls(**{name: f"127.0.0.1:{ports[name]}" for name in names})


def mongo_url(stack_secrets: Secrets, user: str, address: str) -> str:
    """Return the connection string of one component."""
    password = quote(stack_secrets[f"mongo.{user}"], safe="")
    source = "admin" if user == ADMIN else DATABASE
    return (
        f"mongodb://{user}:{password}@{address}/"
        f"?authSource={source}&directConnection=true&retryWrites=true"
    )


def component_env(
    stack_secrets: Secrets, at: Addresses, component: str, folder: Path
) -> dict[str, str]:
    """Return the settings of one component: addresses, its own credentials, its own folders."""
    access = ACCESS[component]
    env = {
        "PROCTOR_COMPONENT": component,
        "PROCTOR_MONGO_DB": DATABASE,
        "PROCTOR_KEYS_DIR": str(folder / "keys"),
        "PROCTOR_WORK_DIR": str(folder / "work"),
        "PROCTOR_CONTROL_URL": f"http://{at.control}",
        "PROCTOR_PUBLIC_URL": f"http://{at.api}",
        "PROCTOR_VIEWER_URL": f"http://{at.viewer}",
    }
    if access.mongo:
        env["PROCTOR_MONGO_URL"] = mongo_url(stack_secrets, component, at.mongo)
    if access.buckets:
        env["PROCTOR_S3_ENDPOINT"] = f"http://{at.s3}"
        env["PROCTOR_S3_ACCESS_KEY"] = stack_secrets[f"s3.{component}.key"]
        env["PROCTOR_S3_SECRET_KEY"] = stack_secrets[f"s3.{component}.secret"]
    if access.amqp:
        password = stack_secrets[f"amqp.{component}"]
        env["PROCTOR_AMQP_URL"] = f"amqp://{component}:{password}@{at.amqp}/"
    if component in {"control", "runner"}:
        env["PROCTOR_RUNNER_TOKEN"] = stack_secrets["runner.token"]
    return env


def write_env_file(home: Home, component: str, env: Mapping[str, str]) -> None:
    """Keep a component's environment in its folder, for whoever starts it by hand."""
    lines = "".join(f"{name}={value}\n" for name, value in sorted(env.items()))
    write_private(home.component(component) / "env", lines)
    (home.component(component) / "work").mkdir(mode=0o700, exist_ok=True)
