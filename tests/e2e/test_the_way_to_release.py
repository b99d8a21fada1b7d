"""After the review: the vendor's text, unmasking, clearing, release, each by its own person."""

from collections.abc import Callable

import e2e_world as worlds
import pytest
from e2e_site import Site
from playwright.sync_api import Page

from proctor_backend.domain.review import EDITIONS
from proctor_backend.services import release, review

pytestmark = pytest.mark.browser
Enter = Callable[..., Page]


def unmasked(site: Site) -> None:
    world = site.world
    review.sign_results(
        world.records, world.actor("reviewer"), world.report, password=worlds.PASSWORD, meaning="Ok"
    )
    release.unmask(world.records, world.actor("releaser"), world.report, password=worlds.PASSWORD)


def state(site: Site) -> str:
    return str(site.world.records.get("reports", site.world.report)["state"])


def test_the_vendors_text_is_kept_and_no_reviewer_sees_it(enter: Enter, site: Site) -> None:
    page = enter("regulatory")
    page.goto(f"{site.report}/release")
    page.fill("#device_description", "A triage device with a secret name.")
    page.click("text=Keep the text")
    assert "Your text is kept" in page.inner_text("[role=status]")
    reader = enter("reviewer")
    for path in ("", "/draft", "/release"):
        reader.goto(site.report + path)
        assert "secret name" not in reader.content()


def test_the_home_page_asks_the_vendor_for_the_text(enter: Enter, site: Site) -> None:
    page = enter("regulatory")
    assert "Give your text for a report" in page.inner_text("main")


def test_the_partner_previews_an_edition_before_clearing_it(enter: Enter, site: Site) -> None:
    unmasked(site)
    page = enter("partner")
    page.goto(f"{site.report}/editions/public/preview")
    assert "results are shown" in page.inner_text("main")
    assert "sensitivity.triage" in page.inner_text("main")


def test_the_partner_clears_each_edition_with_the_password(enter: Enter, site: Site) -> None:
    unmasked(site)
    page = enter("partner")
    for edition in EDITIONS:
        page.goto(f"{site.report}/release")
        page.fill(f"#password-{edition}", worlds.PASSWORD)
        page.click(f"text=Clear the {edition} edition")
    report = site.world.records.get("reports", site.world.report)
    assert set(report["cleared"]) == set(EDITIONS)


def test_the_releaser_is_told_which_editions_are_not_cleared(enter: Enter, site: Site) -> None:
    unmasked(site)
    page = enter("releaser")
    page.goto(f"{site.report}/release")
    assert "has not cleared: full, submission, public" in page.inner_text("main")
    assert page.locator("#password-release").count() == 0


def test_releasing_sends_the_report_to_rendering(enter: Enter, site: Site) -> None:
    unmasked(site)
    world = site.world
    for edition in EDITIONS:
        release.clear_edition(
            world.records, world.actor("partner"), world.report, edition, password=worlds.PASSWORD
        )
    page = enter("releaser")
    page.goto(f"{site.report}/release")
    page.fill("#password-release", worlds.PASSWORD)
    page.click("text=Release the report")
    assert state(site) == "CLEARED"
    tasks = [row["task"] for row in world.records.find("outbox", {"kind": "task"})]
    assert "proctor.render" in tasks


def test_a_reviewer_cannot_unmask_by_sending_the_form(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(f"{site.report}/release")
    assert page.locator("#password-unmask").count() == 0
    token = page.get_attribute("input[name=csrf]", "value")
    form = {"csrf": token or "", "password": worlds.PASSWORD}
    assert page.request.post(f"{site.report}/unmask", form=form).status == 404
    assert state(site) == "DRAFT"
