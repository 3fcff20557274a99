"""The admin as an administrator has it: the hub's own web server, a real database, and a real browser that is listened to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from scripts.local.state import CHECKOUT
from tests.acceptance.admin.scenery import PASSWORD, USER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import Hub
from tests.acceptance.local.browser import require_chromium
from tests.acceptance.web import start_web

SCREENSHOTS = CHECKOUT / "artefacts" / "screenshots"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# On a machine that does a lot besides, too.
PATIENCE_MS = 30_000
# What a browser says of a request that it gave up because the page was left.
LEFT = "net::ERR_ABORTED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A hub with a web server, and what stands in the addresses of its rows."""

    hub: Hub
    url: str
    rows: dict[str, str]

    def address(self, path: str) -> str:
        """The address of a page of the admin: `site.address("deliveries/delivery/{failing}/change/")`."""
        return f"{self.url}/admin/{path.format(**self.rows)}"


@dataclass
class Complaints:
    """What a page must not bring about: errors in its console, and requests that come to nothing."""

    heard: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.heard.append(f"console: {message.text} ({message.location})")

    def _request_failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self.heard.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.heard.append(f"answered {response.status}: {response.url}")


# Not for longer: while it is open an event loop runs in this thread, in which Django refuses to ask the database.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = require_chromium()
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def site(browser: Browser, make_hub: MakeHub) -> Site:
    """A hub with everything but workers, and rows of every kind."""
    hub = make_hub()
    rows = hub.application("make_scenery")
    return Site(hub=hub, url=start_web(hub), rows=rows)


@pytest.fixture(scope="module")
def session(site: Site, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cookies of an administrator who has logged in by the form."""
    stored = tmp_path_factory.mktemp("session") / "state.json"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.address(""))
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("#content")
        context.storage_state(path=stored)
    return stored


@pytest.fixture
def context(browser: Browser, session: Path) -> Iterator[BrowserContext]:
    with browser.new_context(storage_state=session, viewport=DESKTOP, reduced_motion="reduce") as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of the admin's, logged in. A test fails that brings about an error in its console or a failed request."""
    complaints = Complaints()
    page = context.new_page()
    complaints.listen(page)
    yield page
    assert complaints.heard == []
