"""`manage.py hub status`: for people, and for scripts."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from deliveries.claim import claim
from deliveries.record import record_landings
from deliveries.tally import fold
from deliveries.tasks import sweep_task
from subscriptions.models import Subscription
from tests.integration.rows import answered, change, database_now, land, make_pending
from webhookhub import doorbell
from webhookhub.events import emit
from webhookhub.models import ProcessKind
from webhookhub.presence import see


def status(*options: str, exit_code: int = 0) -> str:
    out = StringIO()
    ended_with = 0
    try:
        call_command("hub", "status", *options, stdout=out)
    except SystemExit as ended:
        ended_with = int(str(ended.code))
    assert ended_with == exit_code, out.getvalue()
    return out.getvalue()


@pytest.fixture
def well(db: None) -> None:
    """A hub with all of its processes."""
    see(ProcessKind.WORKER, "worker@one", is_new=True, queues=["fanout", "maintenance"], children=2)
    see(ProcessKind.WORKER, "deliveries@two", is_new=True, queues=["deliveries", "deliveries.slow"], children=3)
    see(ProcessKind.WEB, "one/1", is_new=True)
    sweep_task.run()


def attempt(subscription: Subscription, *statuses: int) -> None:
    claims = claim(make_pending(subscription, len(statuses)))
    landings = [land(one, answered(code, total_ms=40)) for one, code in zip(claims, statuses, strict=True)]
    record_landings(landings, rng=random.Random(1))
    fold()


@pytest.mark.usefixtures("well")
def test_of_a_hub_that_is_well_it_says_so_and_ends_with_0(subscription: Subscription) -> None:
    attempt(subscription, 200, 200, 200, 410)
    said = status()
    assert said.endswith("All is well.\n")
    assert "2 workers, 1 web process, last sweep" in said
    assert "deliveries@two  deliveries, deliveries.slow  3 processes" in said
    assert "3 delivered, 1 failed" in said
    assert "75.0% of 4 attempts succeeded, 40 ms on average" in said
    assert f"{subscription.shown_id}  127.0.0.1:9" in said


@pytest.mark.usefixtures("db")
def test_of_a_hub_that_nobody_runs_it_says_what_to_start_and_ends_with_1() -> None:
    said = status(exit_code=1)
    assert "error    workers: no worker takes messages from fanout, deliveries, deliveries.slow, maintenance" in said
    assert "-> start one: python -m celery -A config worker -Q fanout,deliveries,deliveries.slow,maintenance" in said
    assert "error    sweep: there has never been one" in said


@pytest.mark.usefixtures("well")
def test_a_warning_ends_with_1_only_where_it_is_asked_to(subscription: Subscription) -> None:
    change(make_pending(subscription), due_at=database_now() - timedelta(seconds=100))
    assert "warning  deliveries: the oldest that could go has been waiting for 1" in status()
    assert "warning  deliveries" in status("--strict", exit_code=1)


@pytest.mark.usefixtures("well")
def test_scripts_read_the_same_as_json(subscription: Subscription) -> None:
    attempt(subscription, 200, 410)
    make_pending(subscription, 2)
    emit("order.shipped", {}, account=subscription.account)
    document: dict[str, Any] = json.loads(status("--json"))
    assert document["findings"] == []
    assert (document["backlog"]["pending"], document["backlog"]["is_exact"]) == (2, True)
    assert document["backlog"]["events"] == 1
    assert document["queues"].keys() == set(doorbell.QUEUES)
    assert [one["is_alive"] for one in document["processes"]] == [True] * 4
    assert (document["last_hour"]["delivered"], document["last_hour"]["mean_ms"]) == (1, 40)
    assert document["last_hour"]["most_failing"] == [subscription.shown_id]
    document = json.loads(status("--json", "--strict"))
    assert document["findings"] == []


@pytest.mark.usefixtures("well")
def test_of_a_url_only_its_host_is_told(subscription: Subscription) -> None:
    Subscription.objects.update(url="https://user:secret@hooks.example.com:8443/T0/secret?key=secret")
    attempt(subscription, 500)
    for options in ([], ["--json"]):
        assert "secret" not in status(*options)
    assert "hooks.example.com:8443" in status()


@pytest.mark.usefixtures("db")
def test_a_database_without_the_tables_is_an_error_with_what_to_do() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhookhub_tally RENAME TO away")
    try:
        said = status(exit_code=1)
        document = json.loads(status("--json", exit_code=1))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO webhookhub_tally")
    assert "error    PostgreSQL: relation" in said
    assert "migrate" in said
    assert [finding["severity"] for finding in document["findings"]] == ["error"]


@pytest.mark.parametrize("seconds", ["0.4", "nan", "inf", "soon"])
def test_top_says_how_often_it_can_be_drawn(seconds: str) -> None:
    with pytest.raises(CommandError, match="--every"):
        call_command("hub", "top", "--once", "--every", seconds)
