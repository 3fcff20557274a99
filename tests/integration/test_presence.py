"""presence: who is alive, who is missing, and who was never there."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from deliveries.tasks import sweep_task
from webhookhub.models import Process, ProcessKind
from webhookhub.presence import ALIVE_FOR_SECONDS, REMEMBERED_SECONDS, Presence, forget, read_processes, see, see_beat

pytestmark = pytest.mark.usefixtures("db")


def let_pass(seconds: float, name: str) -> None:
    """This process was seen so many seconds earlier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhookhub_process SET seen_at = seen_at - %s * interval '1 second' WHERE name = %s",
            [seconds, name],
        )


def alive() -> dict[str, bool]:
    return {process.name: process.is_alive for process in read_processes()}


def test_a_process_that_says_nothing_is_missing_and_after_a_while_forgotten() -> None:
    for name in ("one", "two"):
        see(ProcessKind.WORKER, name, is_new=True)
    let_pass(ALIVE_FOR_SECONDS + 1, "one")
    assert alive() == {"one": False, "two": True}
    let_pass(REMEMBERED_SECONDS, "one")
    assert alive() == {"two": True}


def test_a_process_that_ends_is_not_missing() -> None:
    presence = Presence(ProcessKind.WORKER, "one", queues=("deliveries",), children=3)
    presence.start()
    wait_until_seen("one")
    (seen,) = read_processes()
    assert (seen.kind, seen.queues, seen.children) == (ProcessKind.WORKER, ("deliveries",), 3)
    presence.end()
    assert alive() == {}


def wait_until_seen(name: str) -> None:
    deadline = time.monotonic() + 10
    while not Process.objects.filter(name=name).exists():
        assert time.monotonic() < deadline, "it was never seen"
        time.sleep(0.01)


def test_who_takes_the_name_of_one_that_is_gone_begins_anew() -> None:
    see(ProcessKind.WEB, "one", is_new=True, waiting_events=7)
    (before,) = read_processes()
    see(ProcessKind.WEB, "one", is_new=False)
    assert [(seen.started_at, seen.waiting_events) for seen in read_processes()] == [(before.started_at, 0)]
    see(ProcessKind.WEB, "one", is_new=True)
    (after,) = read_processes()
    assert after.started_at > before.started_at


def test_those_that_went_without_a_word_are_forgotten_by_those_that_end() -> None:
    for name in ("killed", "ending"):
        see(ProcessKind.WORKER, name, is_new=True)
    see_beat()
    for name in ("killed", "beat"):
        let_pass(REMEMBERED_SECONDS + 1, name)
    forget(ProcessKind.WORKER, "ending")
    assert list(Process.objects.values_list("name", flat=True)) == ["beat"]


def test_beat_is_seen_whenever_a_sweep_runs_and_its_last_sweep_is_never_forgotten() -> None:
    sweep_task.run()
    let_pass(ALIVE_FOR_SECONDS * 2, "beat")
    assert alive() == {"beat": True}  # its sweeps may be a minute apart
    let_pass(REMEMBERED_SECONDS * 10, "beat")
    (beat,) = read_processes()
    assert (beat.kind, beat.is_alive) == (ProcessKind.BEAT, False)
    sweep_task.run()
    assert alive() == {"beat": True}


def test_a_database_that_is_away_ends_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("webhookhub.presence.SEEN_EVERY_SECONDS", 0.01)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhookhub_process RENAME TO away")
    presence = Presence(ProcessKind.WORKER, "one")
    presence.start()
    try:
        deadline = time.monotonic() + 10
        while "database away" not in caplog.messages:
            assert time.monotonic() < deadline, "nothing was written"
            time.sleep(0.01)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO webhookhub_process")
    wait_until_seen("one")
    presence.end()
