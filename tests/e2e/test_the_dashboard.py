"""What people see and may do in the browser, on the really running dashboard and viewer."""

from collections.abc import Callable

import e2e_world as worlds
import pytest
from e2e_site import Site, get, open_first_case, post, session_of, sign_in
from playwright.sync_api import Browser, Page

from proctor_backend.services import review

pytestmark = pytest.mark.browser
Enter = Callable[..., Page]


def test_a_wrong_password_is_answered_with_a_message(browser: Browser, site: Site) -> None:
    page = browser.new_page()
    sign_in(page, site, "reviewer", password="not the password")
    assert page.locator("[role=alert]").inner_text().strip()
    assert "/sign-in" in page.url
    page.close()


def test_a_page_without_a_session_leads_to_signing_in_and_back(
    browser: Browser, site: Site
) -> None:
    page = browser.new_page()
    page.goto(site.report)
    page.fill("#email", worlds.email("reviewer"))
    page.fill("#password", worlds.PASSWORD)
    page.click("main button[type=submit]")
    assert page.url == site.report
    page.close()


def test_the_reviewer_reads_the_verdict_at_the_top(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(site.report)
    verdict = page.locator("section[aria-label=Verdict]")
    assert "criterion not met" in verdict.inner_text()
    assert verdict.bounding_box()["y"] < 500


def test_the_planted_difference_against_women_is_the_first_comparison(
    enter: Enter, site: Site
) -> None:
    page = enter("reviewer")
    page.goto(site.report)
    first = page.locator("section[aria-labelledby=differences] tbody tr").first.inner_text()
    assert "Sex, F against M" in first
    assert "difference shown" in first


def test_every_figure_of_the_draft_is_drawn(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(site.report)
    page.wait_for_load_state("networkidle")
    widths = page.eval_on_selector_all(".figures img", "all => all.map(i => i.naturalWidth)")
    assert len(widths) >= 4
    assert all(widths)


def _has_case(seen: set[str]) -> bool:
    """Say whether a case's page was read already; one is made like the next."""
    return any("/cases/" in address for address in seen)


def test_no_page_of_the_reviewer_names_the_vendor_before_signing(enter: Enter, site: Site) -> None:
    page, world = enter("reviewer"), site.world
    page.goto(site.dashboard)
    seen: set[str] = set()
    waiting = [site.dashboard + "/", site.report]
    while waiting:
        address = waiting.pop()
        if address in seen or ("/cases/" in address and _has_case(seen)):
            continue
        seen.add(address)
        page.goto(address)
        text = page.content() + page.evaluate("document.body.innerText")
        for name in (worlds.VENDOR, worlds.MODEL, world.orgs["vendor"], "Rita Regulatory"):
            assert name not in text, address
        links = page.eval_on_selector_all("a[href^='/']", "all => all.map(a => a.href)")
        waiting += {link.split("#")[0] for link in links}
    assert len(seen) > 12


def test_the_vendors_name_appears_once_the_results_are_unmasked(enter: Enter, site: Site) -> None:
    review.sign_results(
        site.world.records,
        site.world.actor("reviewer"),
        site.world.report,
        password=worlds.PASSWORD,
        meaning="Reviewed.",
    )
    page = enter("releaser")
    page.goto(f"{site.report}/release")
    assert worlds.VENDOR not in page.content()
    page.fill("#password-unmask", worlds.PASSWORD)
    page.click("text=Unmask >> nth=-1")
    page.wait_for_load_state("networkidle")
    assert worlds.VENDOR in page.content()


def test_an_error_category_is_saved_with_its_note(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    case = open_first_case(page, site)
    page.select_option("#category", "subtle_finding")
    page.fill("#note", "Thin apical rim.")
    page.click("text=Save and go on")
    kept = site.world.records.find("reviews", {"case": case["case"]})
    assert [(one["category"], one["note"]) for one in kept] == [
        ("subtle_finding", "Thin apical rim.")
    ]


def test_signing_with_a_wrong_password_leaves_the_draft_unsigned(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(site.report)
    page.fill("#password", "not the password")
    page.click("main form button[type=submit]")
    assert page.locator("[role=alert]").count() == 1
    assert site.world.records.get("reports", site.world.report)["state"] == "DRAFT"


def test_signing_records_who_signed_what_and_its_meaning(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(site.report)
    page.fill("#meaning", "I have read all of it.")
    page.fill("#password", worlds.PASSWORD)
    page.click("main form button[type=submit]")
    report = site.world.records.get("reports", site.world.report)
    assert report["state"] == "REVIEWED"
    assert report["approvals"][0]["meaning"] == "I have read all of it."
    assert report["approvals"][0]["body_digest"] == report["body_digest"]


def test_a_form_without_the_sessions_token_changes_nothing(site: Site) -> None:
    cookies, _ = session_of(site, "reviewer")
    digest = site.world.records.get("reports", site.world.report)["body_digest"]
    form = {"password": worlds.PASSWORD, "meaning": "x", "body_digest": digest}
    answer = post(f"{site.report}/sign", data=form, cookies=cookies)
    assert answer.status_code == 401
    assert site.world.records.get("reports", site.world.report)["state"] == "DRAFT"


def test_another_sessions_token_is_refused(site: Site) -> None:
    cookies, _ = session_of(site, "reviewer")
    _, foreign = session_of(site, "releaser")
    answer = post(f"{site.dashboard}/sign-out", data={"csrf": foreign}, cookies=cookies)
    assert answer.status_code == 401


def test_signing_in_leads_nowhere_outside_the_dashboard(site: Site) -> None:
    form = {"email": worlds.email("reviewer"), "password": worlds.PASSWORD, "to": "//evil.test/"}
    answer = post(f"{site.dashboard}/sign-in", data=form)
    assert answer.headers["location"] == "/"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    form = {"email": worlds.email("reviewer"), "password": worlds.PASSWORD}
    cookie = post(f"{site.dashboard}/sign-in", data=form).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_the_policy_of_every_page_allows_no_inline_script_or_style(site: Site) -> None:
    policy = get(f"{site.dashboard}/sign-in").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_a_vendor_cannot_open_the_draft_or_its_cases(site: Site) -> None:
    cookies, _ = session_of(site, "regulatory")
    for page in ("draft", "errors", "evidence", "figures/roc.svg"):
        assert get(f"{site.report}/{page}", cookies=cookies).status_code == 404, page


def test_every_page_of_a_demonstration_says_so(enter: Enter, site: Site) -> None:
    page = enter("partner")
    for path in ("/", "/studies", "/cohorts", "/entries", "/reports", "/nowhere"):
        page.goto(site.dashboard + path)
        assert page.locator(".demonstration").is_visible(), path


def test_a_page_that_does_not_exist_says_what_to_do(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    page.goto(f"{site.dashboard}/reports/rep_unknown")
    assert page.locator("h1").inner_text() == "Not found"
    assert page.get_by_role("link", name="Home").count()


def test_an_entrys_page_follows_its_state_without_being_reloaded_by_hand(
    enter: Enter, site: Site
) -> None:
    site.world.records.db["entries"].update_one(
        {"_id": site.world.entry}, {"$set": {"state": "CONFORMANT"}}
    )
    page = enter("reviewer")
    page.goto(f"{site.dashboard}/entries/{site.world.entry}")
    assert page.locator("[aria-current=step]").inner_text().startswith("Hidden run")
    site.world.records.db["entries"].update_one(
        {"_id": site.world.entry}, {"$set": {"state": "EVALUATED"}}
    )
    page.wait_for_selector("text=Measurement: now", timeout=15_000, state="attached")


@pytest.mark.parametrize("path", ["", "/errors", "/release"])
def test_a_report_fits_the_width_of_a_telephone(enter: Enter, site: Site, path: str) -> None:
    page = enter("reviewer", width=390)
    page.goto(site.report + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", ["", "/errors", "/release", "/evidence"])
def test_every_field_and_image_has_a_name_for_a_screen_reader(
    enter: Enter, site: Site, path: str
) -> None:
    page = enter("reviewer")
    page.goto(site.report + path)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
        .filter(f => !f.labels.length).length
        + [...document.querySelectorAll('img')].filter(i => !i.alt).length"""
    )
    assert nameless == 0
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1


def test_an_own_password_is_chosen_on_a_page_and_typed_twice_alike(
    enter: Enter, site: Site
) -> None:
    page = enter("releaser")
    page.goto(f"{site.dashboard}/")
    page.click("header .who a")
    page.fill("#old", worlds.PASSWORD)
    page.fill("#new", "known to nobody else")
    page.fill("#again", "known to nobody elze")
    page.click("main button[type=submit]")
    assert "The two new passwords differ." in page.locator("main").inner_text()
