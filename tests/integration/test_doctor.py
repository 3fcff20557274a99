"""`manage.py hub doctor` on a real database and broker: what is wrong is found, each with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from celery import current_app
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import Settings

from deliveries.doctor.configuration import examine_configuration, examine_secrets
from deliveries.doctor.database import examine_database
from deliveries.doctor.finding import Finding, Severity
from deliveries.doctor.schedule import examine_schedule
from subscriptions.models import Subscription
from tests.integration.rows import let_pass
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.ids import new_id
from webhookhub.models import Account, Event

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def _undone(db: None) -> Iterator[None]:
    """What a test does to the tables themselves is as before afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def beat(db: None) -> Iterator[PeriodicTask]:
    """The entries that celery-beat makes when it starts; it rang a moment ago. Returned is the sweep's."""
    every, _ = IntervalSchedule.objects.get_or_create(every=2, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="maintain", task="deliveries.maintain_partitions", interval=every)
    yield PeriodicTask.objects.create(name="sweep", task="deliveries.sweep", interval=every, last_run_at=timezone.now())
    PeriodicTask.objects.all().delete()


def run_sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def wrong(findings: list[Finding]) -> list[tuple[Severity, str]]:
    """What the findings say is wrong; each says what to do."""
    found = [finding for finding in findings if finding.severity is not Severity.OK]
    assert all(finding.remedy and "\n" not in finding.remedy for finding in found)
    return [(finding.severity, finding.what) for finding in found]


def said(findings: list[Finding]) -> str:
    return "\n".join(what for _, what in wrong(findings))


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("jit", "on", Severity.WARNING),
        ("synchronous_commit", "off", Severity.WARNING),
        ("idle_in_transaction_session_timeout", "0", Severity.WARNING),
        ("default_transaction_isolation", "'repeatable read'", Severity.ERROR),
    ],
)
def test_a_setting_of_postgresql_that_harms_is_found(name: str, value: str, severity: Severity) -> None:
    run_sql(f"SET {name} = {value}")
    found = [finding for finding in examine_database() if finding.what.startswith(f"{name} is ")]
    assert [finding.severity for finding in found] == [severity]
    assert f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET {name} = ' in found[0].remedy


def test_a_setting_of_postgresql_that_is_as_it_should_be_is_not_told_of() -> None:
    for name, value in {"jit": "off", "idle_in_transaction_session_timeout": "'60s'"}.items():
        run_sql(f"SET {name} = {value}")
    assert "jit" not in said(examine_database())
    assert "idle_in_transaction" not in said(examine_database())


def test_too_few_connections_for_one_process_of_each_role_are_found() -> None:
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    run_sql(f"ALTER DATABASE {name} CONNECTION LIMIT 50")
    try:
        assert "of 50 connections are taken" in said(examine_database())
    finally:
        run_sql(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert "connections are taken" not in said(examine_database())


def test_a_transaction_that_its_client_left_open_is_found_and_its_process_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deliveries.doctor.database.LONG_TRANSACTION_SECONDS", 0)
    other = psycopg2.connect(**connection.get_connection_params())
    try:
        other.cursor().execute("SELECT 1")
        pid = other.info.backend_pid
        remedies = [one.remedy for one in examine_database() if f"process {pid} has done nothing" in one.what]
        assert remedies == [f"SELECT pg_terminate_backend({pid})"]
    finally:
        other.close()


@pytest.mark.usefixtures("_undone")
def test_missing_migrations_are_found_and_nothing_is_asked_of_tables_that_are_behind() -> None:
    ((_, newest),) = MigrationLoader(connection).graph.leaf_nodes("deliveries")
    run_sql(f"DELETE FROM django_migrations WHERE app = 'deliveries' AND name = '{newest}'")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("hub", "doctor", stdout=out)
    assert f"1 migrations are missing, the first is deliveries.{newest}" in out.getvalue()
    assert "-> python manage.py migrate\n" in out.getvalue()
    assert " schedule " not in out.getvalue()


@pytest.mark.usefixtures("_undone")
def test_a_missing_partition_of_the_coming_week_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'webhookhub_delivery'::regclass"
        )
        names = [name for (name,) in cursor.fetchall() if not name.endswith("_default")]
    for name in names:
        run_sql(f"DROP TABLE {name}")
    assert "webhookhub_delivery has no partition for the coming week" in said(examine_database())


@pytest.mark.usefixtures("_undone")
def test_rows_in_a_default_partition_are_found(account: Account) -> None:
    moment = datetime(2001, 1, 1, tzinfo=UTC)
    Event(id=new_id(int(moment.timestamp()) * 10**9), account=account, type="a", data="1", created_at=moment).save(
        force_insert=True
    )
    assert (Severity.WARNING, "webhookhub_event_default has rows: there was no partition of their time") in wrong(
        examine_database()
    )


def test_a_key_that_opens_no_stored_secret_is_found(subscription: Subscription, settings: Settings) -> None:
    assert wrong(examine_secrets()) == []
    key = Fernet.generate_key().decode()
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"encryption_keys": (key,)}).model_dump()
    assert "encrypted under a key that is not in encryption_keys" in said(examine_secrets())


def test_a_misspelt_variable_and_a_short_lease_are_found_in_the_settings(settings: Settings) -> None:
    settings.UNKNOWN_HUB_VARIABLES = {"HUB_LEASE": "HUB_LEASE_SECONDS"}
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"lease_seconds": 10})
    found = said(examine_configuration())
    assert "HUB_LEASE is no setting of the hub" in found
    assert "lease_seconds is 10" in found


def test_celery_s_settings_of_a_project_of_one_s_own_are_looked_at() -> None:
    current_app.conf.task_acks_late = False
    try:
        assert "task_acks_late" in said(examine_configuration())
    finally:
        current_app.conf.task_acks_late = True
    assert "task_acks_late" not in said(examine_configuration())


@pytest.mark.usefixtures("beat")
def test_a_beat_that_rings_and_nothing_overdue_is_all_well() -> None:
    assert wrong(examine_schedule()) == []


def test_a_beat_that_never_started_is_found() -> None:
    assert "celery-beat has no entry for deliveries.sweep" in said(examine_schedule())


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"last_run_at": timedelta(minutes=7)}, "last rang for the sweep 7 minutes ago"),
        ({"enabled": False}, "entry for deliveries.sweep is switched off"),
    ],
)
def test_a_beat_that_does_not_ring_is_found(beat: PeriodicTask, changes: dict[str, Any], what: str) -> None:
    if (ago := changes.get("last_run_at")) is not None:
        changes = {"last_run_at": timezone.now() - ago}
    PeriodicTask.objects.filter(id=beat.id).update(**changes)
    assert what in said(examine_schedule())


@pytest.mark.usefixtures("beat")
def test_what_the_sweep_should_have_looked_at_is_found(pending: list[UUID]) -> None:
    assert wrong(examine_schedule()) == []
    let_pass(120)
    assert "webhookhub_delivery has a row that the sweep should have looked at" in said(examine_schedule())


@pytest.mark.usefixtures("beat")
def test_a_queue_that_nobody_takes_from_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.doctor.schedule.LONG_QUEUE", 1)
    for _ in range(2):
        doorbell.ring("deliveries.release", [new_id()], queue=doorbell.MAINTENANCE)
    assert "2 messages wait in the queue `maintenance`" in said(examine_schedule())


@pytest.mark.usefixtures("beat")
def test_for_scripts_it_is_one_json_object_and_warnings_count_where_that_is_asked_for() -> None:
    out = StringIO()
    run_sql("SET jit = on")
    run_sql("SET default_transaction_isolation = 'read committed'")
    with pytest.raises(SystemExit) as ended:
        call_command("hub", "doctor", "--json", "--strict", stdout=out)
    assert ended.value.code == 1
    findings = json.loads(out.getvalue())["findings"]
    assert {"area", "severity", "what", "remedy"} == set(findings[0])
    assert any(finding["severity"] == "warning" and "jit" in finding["what"] for finding in findings)
