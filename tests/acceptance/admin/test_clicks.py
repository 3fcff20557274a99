"""What an administrator does in the admin: with the mouse, with the keyboard alone, and while things go on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from scripts.local.roles import WORKER
from tests.acceptance.admin.conftest import Site

MOST_TABS = 60


def press_tab_until(page: Page, text: str) -> None:
    """Go from control to control until the one with this text has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText?.trim()") == text:
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


def test_a_delivery_is_given_more_time_by_the_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(site.address("deliveries/delivery/{failing}/change/"))
    press_tab_until(page, "Move expiry")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason")).to_be_visible()
    page.get_by_label("Reason").focus()
    page.keyboard.type("they are on holiday")
    page.keyboard.press("Tab")
    page.keyboard.type("01012999")
    page.keyboard.press("Tab")
    page.keyboard.type("1200PM")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Moved the expiry: 1 delivery.")).to_be_visible()
    expect(page.get_by_text("2999-01-01 12:00:00")).to_be_visible()
    expect(page.get_by_text("Moved the expiry: they are on holiday")).to_be_visible()


def test_filters_open_by_the_keyboard_and_find_what_they_say(site: Site, page: Page) -> None:
    page.goto(site.address("deliveries/delivery/?status=any"))
    press_tab_until(page, "Filters\nfilter_list")
    page.keyboard.press("Enter")
    page.get_by_label("By account").fill("Bob's mill")
    page.get_by_role("button", name="Apply Filters").click()
    expect(page.get_by_text("https://mill.example/hooks").first).to_be_visible()
    assert page.get_by_text("https://shop.example/webhooks/orders").count() == 0


def test_those_that_are_selected_are_cancelled(site: Site, page: Page) -> None:
    page.goto(site.address("deliveries/delivery/?status=pending&account=alice"))
    boxes = page.locator("input.action-select")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.locator("select[name=action]").select_option("cancel")
    page.get_by_role("button", name="Run").click()
    page.get_by_label("Reason").fill("wrong prices")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled: 2 deliveries.")).to_be_visible()


def test_a_request_is_copied_as_a_command(site: Site, page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(site.address("deliveries/delivery/{failing}/change/"))
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl --request POST https://warehouse.example/")


def test_what_a_receiver_answered_does_not_run(site: Site, page: Page) -> None:
    page.goto(site.address("deliveries/delivery/{failing}/change/"))
    expect(page.get_by_text("<h1>out of order</h1>").first).to_be_visible()
    assert page.title() != "taken over"


@pytest.fixture
def worker(site: Site) -> Iterator[None]:
    """Nobody deals with jobs until then."""
    process = site.hub.start(WORKER)
    yield
    process.kill()


def test_a_job_is_watched_without_a_reload(site: Site, page: Page, request: pytest.FixtureRequest) -> None:
    page.goto(site.address("deliveries/delivery/?status=held"))
    page.get_by_role("link", name="Cancel").click()
    page.get_by_label("Reason").fill("the mill is closed")
    page.get_by_role("button", name="Cancel").click()
    progress = page.locator("#job-progress")
    expect(progress).to_contain_text(re.compile("waiting", re.IGNORECASE))
    page.evaluate("window.isTheSamePage = true")
    request.getfixturevalue("worker")
    expect(progress).to_contain_text("Done to 3 of 3 found", timeout=60_000)
    assert page.evaluate("window.isTheSamePage")
    assert page.locator("#job-progress[hx-get]").count() == 0


def test_the_first_page_goes_on_without_a_reload(site: Site, page: Page) -> None:
    page.goto(site.address(""))
    before = page.get_by_text(re.compile(r"\d+ pending, \d+ held")).inner_text()
    page.evaluate("window.isTheSamePage = true")
    assert site.hub.query(
        """UPDATE webhookhub_delivery SET status = 'cancelled', wake_at = NULL
            WHERE id = (SELECT min(id::text)::uuid FROM webhookhub_delivery WHERE status = 'pending') RETURNING id"""
    )
    expect(page.get_by_text(before)).to_have_count(0, timeout=60_000)
    assert page.evaluate("window.isTheSamePage")
