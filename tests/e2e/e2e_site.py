"""Both web processes over one world, and the ways in that the tests share."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import e2e_servers as servers
import e2e_world as worlds
import httpx
from playwright.sync_api import Page

from proctor_backend.dashboard.app import create_dashboard
from proctor_backend.domain.ids import new_id
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.services import people
from proctor_backend.settings import Settings
from proctor_backend.viewer.app import create_viewer
from proctor_sdk.encrypt import encode_key, generate_keypair


@dataclass
class Site:
    """The dashboard's and the viewer's addresses, and the world they show."""

    world: worlds.World
    dashboard: str
    viewer: str
    first: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def report(self) -> str:
        return f"{self.dashboard}/reports/{self.world.report}"

    def remember(self) -> None:
        """Keep the records as they are now; the files never change."""
        db = self.world.records.db
        names = [name for name in db.list_collection_names() if not name.startswith("fs.")]
        self.first = {name: list(db[name].find()) for name in names}

    def restore(self) -> None:
        """Make the records what they were, so that no test sees another's."""
        for name, documents in self.first.items():
            self.world.records.db[name].delete_many({})
            if documents:
                self.world.records.db[name].insert_many(documents)


@contextlib.contextmanager
def site_of(mongo_url: str, s3_url: str, kind: str, keys: Path) -> Iterator[Site]:
    (keys / "ingest.pub").write_text(encode_key(generate_keypair()[1]), "ascii")
    port, viewer_port = servers.free_port(), servers.free_port()
    settings = Settings(
        s3_endpoint=s3_url,
        s3_access_key=servers.KEY,
        s3_secret_key=servers.SECRET,
        public_url=f"http://127.0.0.1:{port}",
        viewer_url=f"http://127.0.0.1:{viewer_port}",
        demonstration=True,
        keys_dir=keys,
    )
    records = Records.connect(mongo_url, new_id("evt")[:20])
    records.prepare()
    store = ObjectStore.connect(settings)
    site = Site(worlds.build(records, store, kind), settings.public_url, settings.viewer_url)
    site.remember()
    with (
        servers.served(create_dashboard(records, store, settings), port),
        servers.served(create_viewer(records, store, settings), viewer_port),
    ):
        yield site
    records.db.client.drop_database(records.db.name)
    records.db.client.close()


def sign_in(page: Page, site: Site, part: str, password: str = worlds.PASSWORD) -> None:
    page.goto(f"{site.dashboard}/sign-in")
    page.fill("#email", worlds.email(part))
    page.fill("#password", password)
    page.click("main button[type=submit]")


def session_of(site: Site, part: str) -> tuple[dict[str, str], str]:
    """Return a session's cookie and form token, without a browser."""
    secret = people.login(site.world.records, worlds.email(part), worlds.PASSWORD)
    return {"proctor": secret}, people.csrf_token(secret)


def get(address: str, **more: Any) -> httpx.Response:
    """Ask without a browser, with patience for a busy machine."""
    return httpx.get(address, timeout=60, **more)


def post(address: str, **more: Any) -> httpx.Response:
    """Send a form without a browser, with patience for a busy machine."""
    return httpx.post(address, timeout=60, **more)


def open_first_case(page: Page, site: Site) -> dict[str, Any]:
    case = worlds.wrong_cases(site.world)[0]
    page.goto(f"{site.report}/cases/{case['case']}?outcome={case['outcome']}")
    return case
