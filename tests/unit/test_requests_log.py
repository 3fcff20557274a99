"""What is told of requests that publish: together, with their ids, and of what a line has room for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from pytest_django import Settings

from webhookhub import requests_log
from webhookhub.conf import hub_settings
from webhookhub.ids import new_id
from webhookhub.logged_ids import logged_ids
from webhookhub.requests_log import HEADER, Receive, RequestIds, Send, request_id

EVENTS = [f'{{"id":"evt_{number:032x}"}}' for number in range(5)]


def ask(bodies: Sequence[str], *headers: tuple[bytes, bytes], path: str = "/api/v1/events") -> list[tuple[bytes, str]]:
    """One request for each body that is answered with; the id of each answer, and the one its lines would carry."""
    told: list[tuple[bytes, str]] = []
    rest = list(bodies)

    async def inner(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        told.append((b"", request_id.get()))
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": rest.pop(0).encode()})

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told[-1] = (dict(message["headers"])[HEADER], told[-1][1])

    async def run() -> None:
        application = RequestIds(inner)
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        for _ in bodies:
            await application(scope, None, send)  # type: ignore[arg-type]  # nobody receives here
        await asyncio.sleep(0.01)

    asyncio.run(run())
    return told


@pytest.fixture(autouse=True)
def published(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="webhookhub.requests")
    monkeypatch.setattr(requests_log, "FLUSH_SECONDS", 0)
    return caplog


def requests_of(log: pytest.LogCaptureFixture) -> list[dict[str, list[str]]]:
    return [record.__dict__["requests"] for record in log.records]


def test_requests_that_come_together_share_a_line(published: pytest.LogCaptureFixture) -> None:
    told = ask(EVENTS)
    (line,) = requests_of(published)
    assert list(line) == [identifier.decode() for identifier, _ in told]
    assert list(line.values()) == [[f"evt_{number:032x}"] for number in range(5)]


def test_as_many_requests_as_a_line_has_room_for_wait_for_no_more(
    published: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_log, "REQUESTS_A_LINE", 2)
    ask(EVENTS)
    assert [len(line) for line in requests_of(published)] == [2, 2, 1]


@pytest.mark.parametrize("given", [b"checkout-42", b"0192f0c1-d5a3-7abc-8123-456789abcdef", b"x" * 128])
def test_an_id_that_the_caller_gives_is_kept_and_returned(given: bytes) -> None:
    assert ask(["{}"], (HEADER, given)) == [(given, given.decode())]


@pytest.mark.parametrize("given", [b"", b"a b", b'a"', b"a\n", b"x" * 129, "é".encode()])
def test_what_could_forge_a_line_is_replaced(given: bytes) -> None:
    ((returned, logged),) = ask(["{}"], (HEADER, given))
    assert returned.decode() == logged
    assert len(logged) == 32


def test_other_routes_publish_nothing(published: pytest.LogCaptureFixture) -> None:
    ask(EVENTS, path="/api/v1/webhooks")
    assert requests_of(published) == []


@pytest.mark.parametrize(("most", "named"), [(0, 0), (2, 2), (20, 5)])
def test_a_line_names_as_many_ids_as_the_setting_says(most: int, named: int, settings: Settings) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"log_ids": most})
    identifiers = [new_id() for _ in range(5)]
    assert logged_ids("event", identifiers) == [f"evt_{one.hex}" for one in identifiers[:named]]
