"""Hidden images reach a reviewer's eyes once, without their header, and never unrecorded."""

import io
from collections.abc import Callable
from typing import Any

import e2e_world as worlds
import numpy as np
import pytest
from e2e_site import Site, get, open_first_case
from PIL import Image
from playwright.sync_api import Page

from proctor_backend.domain.errors import NotFoundError
from proctor_backend.services import review
from proctor_backend.viewer import render

pytestmark = pytest.mark.browser
Enter = Callable[..., Page]


def ticket_for(site: Site, part: str = "reviewer") -> str:
    case = worlds.wrong_cases(site.world)[0]["case"]
    actor = site.world.actor(part)
    return review.open_view(site.world.records, actor, site.world.report, case)


def views(site: Site) -> list[dict[str, Any]]:
    return site.world.records.find("audit_events", {"kind": "case.viewed"}, sort=[("seq", 1)])


def test_the_reviewer_sees_the_image_of_a_case(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    open_first_case(page, site)
    page.wait_for_load_state("networkidle")
    assert page.eval_on_selector(".screen img", "image => image.naturalWidth") > 100


def test_the_reviewer_sees_the_inputs_of_a_case_without_an_image(
    enter: Enter, table_site: Site
) -> None:
    page = enter("reviewer", on=table_site)
    open_first_case(page, table_site)
    inside = page.frame_locator("iframe")
    assert inside.locator("tr", has_text="meanbp").inner_text().split() == ["meanbp", "84"]
    assert "missing" in inside.locator("tr", has_text="hrt").inner_text()


def test_each_view_is_recorded_with_person_and_case(enter: Enter, site: Site) -> None:
    page = enter("reviewer")
    case = open_first_case(page, site)
    page.wait_for_load_state("networkidle")
    (event,) = views(site)
    assert event["actor"] == site.world.persons["reviewer"]
    assert event["private"] == {"case": case["case"]}
    assert case["case"] not in str(event["public"])


def test_a_ticket_opens_one_view_only(site: Site) -> None:
    address = f"{site.viewer}/view/{ticket_for(site)}"
    first, second = get(address), get(address)
    assert first.headers["content-type"] == "image/png"
    assert second.status_code == 404
    assert len(views(site)) == 1


def test_a_ticket_that_was_not_used_in_time_opens_nothing(site: Site) -> None:
    ticket = ticket_for(site)
    site.world.records.db["views"].update_many(
        {}, {"$set": {"expires": "2020-01-01T00:00:00.000Z"}}
    )
    assert get(f"{site.viewer}/view/{ticket}").status_code == 404
    assert not views(site)


def test_another_site_cannot_show_the_image_and_does_not_spend_the_ticket(site: Site) -> None:
    address = f"{site.viewer}/view/{ticket_for(site)}"
    elsewhere = {"sec-fetch-site": "cross-site", "referer": "https://evil.test/"}
    assert get(address, headers=elsewhere).status_code == 404
    assert get(address).status_code == 200


def test_the_picture_carries_no_name_and_is_not_kept_by_the_browser(site: Site) -> None:
    answer = get(f"{site.viewer}/view/{ticket_for(site)}")
    assert worlds.PATIENT_NAME.encode() not in answer.content
    assert Image.open(io.BytesIO(answer.content)).info == {}
    assert answer.headers["cache-control"] == "no-store"


def test_a_damaged_image_is_answered_by_a_sentence_and_not_by_a_trace(site: Site) -> None:
    store, cohort = site.world.store, site.world.cohort
    keys = [k for k in store.list("hidden", f"{cohort}/b0/") if not k.endswith(".jsonl")]
    kept = {key: store.get("hidden", key) for key in keys}
    for key in keys:
        store.put("hidden", key, b"not the image")
    answer = get(f"{site.viewer}/view/{ticket_for(site)}")
    for key, content in kept.items():
        store.put("hidden", key, content)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (640, 400)


def test_a_releaser_gets_no_ticket(site: Site) -> None:
    with pytest.raises(NotFoundError):
        ticket_for(site, "releaser")


def test_a_ticket_is_kept_as_its_hash_only(site: Site) -> None:
    ticket = ticket_for(site)
    assert ticket not in str(site.world.records.find("views", {}))


def test_a_persons_unused_tickets_are_forgotten_once_their_time_is_over(site: Site) -> None:
    ticket_for(site)
    over = {"expires": "2020-01-01T00:00:00.000Z"}
    site.world.records.db["views"].update_many({}, {"$set": over})
    ticket_for(site)
    assert len(site.world.records.find("views", {})) == 1


def shown(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(render.to_png(content))).convert("L"), dtype=float)


def test_an_inverted_radiograph_looks_like_an_upright_one() -> None:
    one = shown(worlds.radiograph(finding=True, inverted=True))
    other = shown(worlds.radiograph(finding=True, inverted=False))
    assert np.abs(one - other).max() <= 2


def test_of_several_frames_the_middle_one_is_shown() -> None:
    ramp = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)
    frames = np.stack([ramp, ramp.T, ramp])
    picture = shown(worlds.as_dicom(frames, inverted=False))
    assert picture[0].mean() < 20
    assert picture[-1].mean() > 230


def test_what_is_no_image_is_unreadable() -> None:
    with pytest.raises(render.UnreadableError):
        render.to_png(b"GIF89a but not really")


def test_a_photographs_own_metadata_stays_behind() -> None:
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Hidden^Patient"
    Image.new("RGB", (32, 32), "red").save(sink, format="JPEG", exif=exif)
    assert b"Hidden" not in render.to_png(sink.getvalue())
