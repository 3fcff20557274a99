"""Every page of the admin: opened on a desk in the light and on a phone in the dark, and looked over by axe-core."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.admin.conftest import PHONE, SCREENSHOTS, Site

PAGES = {
    "home": "",
    "deliveries": "deliveries/delivery/",
    "nothing found": "deliveries/delivery/?type=never",
    "delivery": "deliveries/delivery/{failing}/change/",
    "held delivery": "deliveries/delivery/{held}/change/",
    "cancel one": "deliveries/delivery/act/cancel/?ids={failing}",
    "move the expiry of all": "deliveries/delivery/act/move_expiry/?status=outstanding",
    "jobs": "deliveries/job/",
    "job": "deliveries/job/{job}/change/",
    "attempts": "deliveries/deliveryattempt/",
    "subscriptions": "subscriptions/subscription/",
    "subscription": "subscriptions/subscription/{badly}/change/",
    "notify contact": "subscriptions/subscription/act/notify/?ids={badly}",
    "rotate secret": "subscriptions/subscription/act/rotate/?ids={badly}",
    "accounts": "webhookhub/account/",
    "account": "webhookhub/account/{shop}/change/",
    "keys": "webhookhub/apikey/",
    "profiles": "subscriptions/profile/",
    "profile": "subscriptions/profile/standard/change/",
    "event types": "webhookhub/eventtype/",
    "event type": "webhookhub/eventtype/order.shipped/change/",
    "events": "webhookhub/event/",
    "event": "webhookhub/event/{event}/change/",
    "new key": "webhookhub/apikey/add/",
    "key": "webhookhub/apikey/{key}/change/",
    "periodic tasks": "django_celery_beat/periodictask/",
    "periodic task": "django_celery_beat/periodictask/{task}/change/",
    "users": "auth/user/",
    "user": "auth/user/{administrator}/change/",
    "history": "deliveries/delivery/{failing}/history/",
}
AXE_OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
WIDER_THAN_THE_SCREEN = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_legible_on_a_desk_in_the_light_and_on_a_phone_in_the_dark(name: str, site: Site, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(site.address(PAGES[name]))
    look_over(page, f"{name} desktop")
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.reload()
    look_over(page, f"{name} phone")


def test_the_page_of_the_login_is_legible_and_says_what_was_wrong(site: Site, browser: Browser) -> None:
    with browser.new_context(viewport=PHONE, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(site.address(""))
        look_over(page, "login phone")
        page.get_by_label("Username").fill("nobody")
        page.get_by_label("Password").fill("nothing")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
        look_over(page, "login refused phone")


def look_over(page: Page, name: str) -> None:
    """Keep how it looks, and see that nobody is kept from reading it: what counts are WCAG's levels A and AA."""
    page.screenshot(path=SCREENSHOTS / f"{name.replace(' ', '-')}.png", full_page=True)
    found = Axe().run(page, options=AXE_OPTIONS)
    assert [describe(violation) for violation in found.response["violations"]] == [], name
    assert page.evaluate(WIDER_THAN_THE_SCREEN) <= 0, f"{name} has to be scrolled sideways"


def describe(violation: dict[str, object]) -> str:
    nodes = violation["nodes"]
    assert isinstance(nodes, list)
    return f"{violation['id']}: {violation['help']}: " + "; ".join(
        f"{node['html'][:200]} {[check['message'] for check in node['any']][:1]}" for node in nodes[:4]
    )
