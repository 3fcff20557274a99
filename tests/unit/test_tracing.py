"""Which events are traced? A share of them, the same in every process."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest
from pytest_django import Settings

from webhookhub import tracing
from webhookhub.conf import hub_settings
from webhookhub.ids import new_id
from webhookhub.tracing import Span, is_on, is_traced, trace

LOW, MIDDLE, HIGH = (UUID(int=new_id().int & ~0xFFFFFFFF | low) for low in (0, 0x7FFFFFFF, 0xFFFFFFFF))


def set_share(settings: Settings, share: float) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"trace_share": share})


@pytest.mark.parametrize(
    ("share", "traced"),
    [(0, [False, False, False]), (0.25, [True, False, False]), (0.5, [True, True, False]), (1, [True, True, True])],
)
def test_an_event_is_traced_or_not_by_its_id_alone(share: float, traced: list[bool], settings: Settings) -> None:
    set_share(settings, share)
    assert [is_traced(event_id) for event_id in (LOW, MIDDLE, HIGH)] == traced
    assert is_on() is (share > 0)


def test_of_many_events_about_the_share_is_traced(settings: Settings) -> None:
    set_share(settings, 0.1)
    assert 700 < sum(is_traced(new_id()) for _ in range(10_000)) < 1300


@pytest.mark.parametrize(
    ("module", "variables", "reason"),
    [
        ("not_installed.anywhere", {}, "requirements-otel.txt"),
        ("webhookhub.otel", {"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "max_queue_size must be a positive integer"),
    ],
)
def test_where_nothing_can_be_traced_it_is_said_once_and_nothing_else_happens(
    module: str,
    variables: dict[str, str],
    reason: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_share(settings, 1)
    monkeypatch.setattr(tracing, "_SPANS", module)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tracing._sender.cache_clear()
    try:
        with caplog.at_level(logging.ERROR, logger="webhookhub.tracing"):
            for _ in range(2):
                trace(Span(name="attempt", event_id=LOW, began=0, ended=1, attributes={}))
    finally:
        tracing._sender.cache_clear()
    (record,) = caplog.records
    assert reason in record.__dict__["reason"]
