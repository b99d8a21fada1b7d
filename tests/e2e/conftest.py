"""The dashboard and the viewer served for real, and a browser that acts as each role."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

import e2e_servers as servers
from e2e_site import Site, sign_in, site_of


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mongod(tmp_path_factory.mktemp("mongod")) as url:
        yield url


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(scope="session")
def dicom_site(
    mongo_url: str, s3_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with site_of(mongo_url, s3_url, "dicom", tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def site(dicom_site: Site) -> Site:
    dicom_site.restore()
    return dicom_site


@pytest.fixture
def table_site(mongo_url: str, s3_url: str, tmp_path: Path) -> Iterator[Site]:
    with site_of(mongo_url, s3_url, "table", tmp_path) as found:
        yield found


# Not longer: while Playwright is open, its event loop runs in this thread and no other can.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def enter(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a signed-in page for a part."""
    contexts = []

    def _enter(part: str, on: Site = site, width: int = 1280) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        sign_in(page, on, part)
        return page

    yield _enter
    for context in contexts:
        context.close()
