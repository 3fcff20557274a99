"""Tables cut by time: partitions made ahead, dropped past retention, and what the default one catches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from django.db import connection, transaction

from deliveries import partitions
from deliveries.figure_models import WHOLE_HUB, HourFigures, MinuteFigures
from deliveries.models import Delivery, DeliveryAttempt
from subscriptions.models import Subscription
from tests.integration.plans import Explain
from tests.integration.rows import make_pending
from webhookhub.conf import hub_settings
from webhookhub.events import emit
from webhookhub.ids import attempt_ids, moment_of, new_id
from webhookhub.models import Account, Event
from webhookhub.partitions import PARTITION_DAYS, create_partitions, drop_partitions

WEEK = timedelta(days=7)


@pytest.fixture
def _undone(db: None) -> Iterator[None]:
    """Partitions that a test makes or drops are as before afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


pytestmark = pytest.mark.usefixtures("_undone")


def names(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        return sorted(name for (name,) in cursor.fetchall())


def days(table: str) -> list[datetime]:
    dated = [name.removeprefix(table + "_") for name in names(table) if not name.endswith("_default")]
    return [datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in dated]


def store_event(account: Account, moment: datetime) -> Event:
    event = Event(id=new_id(int(moment.timestamp()) * 10**9), account=account, type="a", data="1", created_at=moment)
    event.save(force_insert=True)
    return event


def partition_of(event: Event) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM webhookhub_event WHERE id = %s", [event.id])
        (name,) = cursor.fetchone()
    return str(name)


@pytest.mark.parametrize("table", partitions.TABLES)
def test_every_table_has_a_default_partition_and_those_of_now_and_the_next_week(table: str) -> None:
    now = datetime.now(UTC)
    assert f"{table}_default" in names(table)
    for moment in (now - timedelta(days=1), now, now + WEEK):
        assert any(day <= moment < day + WEEK for day in days(table))


@pytest.mark.parametrize("table", partitions.TABLES)
def test_partitions_are_made_ahead_without_a_gap_and_only_once(table: str) -> None:
    later = datetime.now(UTC) + timedelta(days=21)
    made = create_partitions(table, now=later)
    assert made
    assert create_partitions(table, now=later) == []
    newest = days(table)[-1]
    assert newest + WEEK > later + WEEK
    assert days(table)[-len(made) :] == [newest - WEEK * back for back in reversed(range(len(made)))]


def test_an_event_lies_in_the_partition_of_its_time(account: Account) -> None:
    now = datetime.now(UTC)
    event = store_event(account, now)
    start = max(day for day in days("webhookhub_event") if day <= now)
    assert partition_of(event) == f"webhookhub_event_{start:%Y%m%d}"


@pytest.mark.parametrize("offset", [timedelta(0), WEEK - timedelta(seconds=1)])
def test_a_partition_holds_its_first_and_its_last_second(account: Account, offset: timedelta) -> None:
    start = max(day for day in days("webhookhub_event") if day <= datetime.now(UTC))
    assert partition_of(store_event(account, start + offset)) == f"webhookhub_event_{start:%Y%m%d}"


def test_a_delivery_and_its_attempts_lie_in_the_partitions_of_their_event(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    event = Event.objects.get()
    assert moment_of(delivery_id) == moment_of(event.id) == moment_of(attempt_ids(delivery_id, 1)[0])


def test_partitions_past_retention_are_dropped_with_what_is_in_them(account: Account) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=31 + PARTITION_DAYS)
    create_partitions("webhookhub_event", now=old)
    store_event(account, old)
    kept = store_event(account, now)
    partitions.maintain(now)
    assert min(days("webhookhub_event")) + WEEK > now - timedelta(days=30)
    assert list(Event.objects.all()) == [kept]


def test_a_partition_that_still_holds_a_moment_within_retention_is_kept() -> None:
    first = min(days("webhookhub_event"))
    assert drop_partitions("webhookhub_event", before=first + WEEK - timedelta(seconds=1)) == []
    assert drop_partitions("webhookhub_event", before=first + WEEK) == [f"webhookhub_event_{first:%Y%m%d}"]


def test_what_has_no_partition_of_its_time_is_kept_and_warned_of(
    account: Account, log: pytest.LogCaptureFixture
) -> None:
    stray = store_event(account, datetime(2001, 1, 1, tzinfo=UTC))
    partitions.maintain()
    assert partition_of(stray) == "webhookhub_event_default"
    warned = [record.__dict__["table"] for record in log.records if record.levelname == "WARNING"]
    assert warned == ["webhookhub_event_default"]


def test_after_weeks_without_maintenance_rows_move_to_the_partitions_that_they_should_have_had(
    account: Account,
) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    stray = store_event(account, later)
    assert partition_of(stray) == "webhookhub_event_default"
    partitions.maintain(later)
    assert partition_of(stray) != "webhookhub_event_default"


def test_what_somebody_reads_is_left_for_the_next_time_and_nobody_waits_behind(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("webhookhub.partitions.LONGEST_WAIT_MS", 20)
    later = datetime.now(UTC) + timedelta(days=40)
    before = days("webhookhub_event")
    reader = psycopg2.connect(**connection.get_connection_params())
    try:
        # As a backup does, and a report.
        reader.cursor().execute("LOCK TABLE webhookhub_event IN ACCESS SHARE MODE")
        assert create_partitions("webhookhub_event", now=later) == []
        assert drop_partitions("webhookhub_event", before=later) == []
    finally:
        reader.close()
    assert days("webhookhub_event") == before
    assert [record.message for record in log.records] == ["table in use"] * 2
    assert create_partitions("webhookhub_event", now=later)
    assert drop_partitions("webhookhub_event", before=later)


def test_maintenance_with_nothing_to_do_does_nothing(log: pytest.LogCaptureFixture) -> None:
    partitions.maintain()
    before = [names(table) for table in partitions.TABLES]
    log.clear()
    partitions.maintain()
    assert [names(table) for table in partitions.TABLES] == before
    assert log.records == []


def test_a_look_up_by_id_reads_one_partition(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    event_id = Event.objects.get().id
    with connection.execute_wrapper(explain := Explain()):
        list(Event.objects.filter(id=event_id))
        list(Delivery.objects.filter(id__in=[delivery_id]))
        list(DeliveryAttempt.objects.filter(id__in=attempt_ids(delivery_id, 3)))
    for table in partitions.TABLES:
        assert len(explain.partitions_of(table)) == 1


def test_an_id_drawn_now_has_a_partition(account: Account) -> None:
    emit("a", 1, account=account)
    assert partition_of(Event.objects.get()) != "webhookhub_event_default"
    assert abs(moment_of(Event.objects.get().id).timestamp() - time.time()) < 60


def test_a_partition_made_later_leaves_the_room_that_claims_need_as_the_first_ones_do() -> None:
    (made,) = create_partitions("webhookhub_delivery", now=datetime.now(UTC) + WEEK)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reloptions FROM pg_class JOIN pg_inherits ON inhrelid = oid"
            " WHERE inhparent = 'webhookhub_delivery'::regclass"
        )
        rooms = dict(cursor.fetchall())
    assert made in rooms
    assert set(map(tuple, rooms.values())) == {("fillfactor=50",)}


def test_maintenance_forgets_old_figures() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=hub_settings().retention_days, hours=2)
    zeros = dict.fromkeys(("attempts", "accepted", "declined", "unanswered", "lost", "delivered", "failed"), 0)
    for model in (MinuteFigures, HourFigures):
        model.objects.create(
            subscription_id=WHOLE_HUB, starts_at=long_ago, **zeros, reused=0, timed=0, total_ms=0, durations=[]
        )
    partitions.maintain()
    assert (MinuteFigures.objects.count(), HourFigures.objects.count()) == (0, 0)
