"""What `hub status` thinks of what it saw, with nobody asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.doctor.finding import Severity
from deliveries.figures.backlog import Backlog
from deliveries.figures.history import Stretch
from deliveries.figures.overview import Overview
from deliveries.operating.lines import draw_bars
from deliveries.operating.look import Hour, Look
from deliveries.operating.top import fit
from deliveries.operating.wrong import find_wrong
from webhookhub import doorbell
from webhookhub.conf import HubSettings
from webhookhub.models import ProcessKind
from webhookhub.presence import SeenProcess

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WARNING, ERROR = Severity.WARNING, Severity.ERROR
EMPTY_QUEUES = dict.fromkeys(doorbell.QUEUES, 0)
NOTHING_WAITS = Backlog(
    pending=0,
    held=0,
    due=0,
    is_exact=True,
    oldest_due_seconds=0.0,
    overdue_seconds=0.0,
    events=0,
    oldest_event_seconds=0.0,
)


def process(kind: ProcessKind, name: str, seen_seconds_ago: float = 1.0, **said: Any) -> SeenProcess:
    defaults: dict[str, Any] = {"queues": (), "children": 0, "waiting_events": 0, "started_at": NOON}
    return SeenProcess(kind=kind, name=name, seen_seconds_ago=seen_seconds_ago, **defaults | said)


WEB = process(ProcessKind.WEB, "web")
BEAT = process(ProcessKind.BEAT, "beat")
WORKER = process(ProcessKind.WORKER, "worker", queues=("fanout", "maintenance"))
DELIVERER = process(ProcessKind.WORKER, "deliverer", queues=("deliveries", "deliveries.slow"))


def seen(
    *processes: SeenProcess,
    queues: dict[str, int] | None = EMPTY_QUEUES,
    tally_lag_seconds: float = 0.0,
    minute: dict[str, int] | None = None,
    **backlog: Any,
) -> Look:
    """A hub that is well but for what is said."""
    overview = Overview(
        backlog=replace(NOTHING_WAITS, **backlog),
        queues=queues,
        processes=processes or (WEB, BEAT, WORKER, DELIVERER),
        tally_lag_seconds=tally_lag_seconds,
    )
    hour = Hour(minutes=[Stretch(starts_at=NOON, **(minute or {}))], slowest=[], most_failing=[])
    return Look(overview=overview, hour=hour)


def test_of_a_hub_that_is_well_nothing_is_said() -> None:
    assert find_wrong(seen(), HubSettings()) == []


@pytest.mark.parametrize(
    ("look", "severity", "said"),
    [
        (seen(queues=None), ERROR, "cannot be reached"),
        (seen(WEB, BEAT, WORKER), ERROR, "no worker takes messages from deliveries, deliveries.slow"),
        (seen(WEB, BEAT, WORKER, replace(DELIVERER, queues=("deliveries",))), ERROR, "from deliveries.slow"),
        (seen(WEB, WORKER, DELIVERER), ERROR, "never been one"),
        (seen(WEB, replace(BEAT, seen_seconds_ago=31.0), WORKER, DELIVERER), ERROR, "31 s ago"),
        (seen(overdue_seconds=121.0), WARNING, "121 s behind"),
        (seen(due=1, oldest_due_seconds=61.0), WARNING, "61 s"),
        (seen(due=1, oldest_due_seconds=601.0), ERROR, "601 s"),
        (seen(events=1, oldest_event_seconds=61.0), WARNING, "fanned out has been waiting for 61 s"),
        (seen(events=1, oldest_event_seconds=601.0), ERROR, "601 s"),
        (
            seen(WEB, BEAT, WORKER, DELIVERER, replace(DELIVERER, name="gone", seen_seconds_ago=90.0)),
            WARNING,
            "gone went",
        ),
        (seen(tally_lag_seconds=61.0), WARNING, "61 s behind"),
        (seen(minute={"attempts": 20, "accepted": 9}), WARNING, "of 20 in the last hour 9 succeeded"),
        (seen(replace(WEB, waiting_events=5_001), BEAT, WORKER, DELIVERER), WARNING, "5,001 accepted events"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do_about_it(look: Look, severity: Severity, said: str) -> None:
    (finding,) = find_wrong(look, HubSettings())
    assert finding.severity is severity
    assert said in finding.what
    assert finding.remedy


@pytest.mark.parametrize(
    "look",
    [
        seen(BEAT, WORKER, DELIVERER),  # who has the apps in a project of their own needs no web process of ours
        seen(WEB, replace(BEAT, seen_seconds_ago=30.0), WORKER, DELIVERER),
        seen(overdue_seconds=120.0),
        seen(overdue_seconds=1_000.0, queues=EMPTY_QUEUES | {"deliveries": 200}),
        seen(oldest_due_seconds=60.0, oldest_event_seconds=60.0),
        seen(minute={"attempts": 19, "accepted": 0}),
        seen(minute={"attempts": 20, "accepted": 10}),
        seen(replace(WEB, waiting_events=5_001), replace(WEB, name="another"), BEAT, WORKER, DELIVERER),
    ],
)
def test_what_happens_in_a_hub_that_is_well_is_not_said(look: Look) -> None:
    assert find_wrong(look, HubSettings()) == []


def test_errors_come_before_warnings() -> None:
    found = find_wrong(seen(WEB, BEAT, WORKER, oldest_due_seconds=61.0, tally_lag_seconds=61.0), HubSettings())
    assert [finding.severity for finding in found] == [ERROR, WARNING, WARNING]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([0, 0], "  "), ([0, 1, 4, 8], " ▁▄█"), ([1, 100], "▁█"), ([5], "█")],
)
def test_bars_are_as_high_as_their_values_and_never_hide_one(values: list[int], drawn: str) -> None:
    assert draw_bars(values) == drawn


def test_a_picture_is_cut_to_what_the_terminal_has_room_for() -> None:
    assert fit(["abcdef", "gh", "ij"], columns=4, rows=2) == ["abcd", "gh"]


def test_where_sweeps_are_far_apart_one_may_be_long_ago() -> None:
    look = seen(WEB, replace(BEAT, seen_seconds_ago=299.0), WORKER, DELIVERER)
    assert find_wrong(look, HubSettings(sweep_seconds=60)) == []
    assert len(find_wrong(look, HubSettings(sweep_seconds=59))) == 1
