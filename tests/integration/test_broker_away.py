"""The broker is away: facts are recorded all the same, and the log says what was not rung."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app
from django.db import transaction
from django.test import RequestFactory

from deliveries.fan_out import fan_out
from deliveries.metrics.families import HubCollector
from deliveries.models import Delivery
from deliveries.sweep import sweep
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.rows import let_pass
from webhookhub import doorbell
from webhookhub.events import emit
from webhookhub.health import readyz
from webhookhub.models import Account, Event

# "quickly", with room for a busy machine: connecting is refused at once, and tried once more.
QUICKLY_SECONDS = 2.0


@pytest.fixture(params=["redis://127.0.0.1:{port}/0", "amqp://guest:guest@127.0.0.1:{port}//"], ids=["redis", "amqp"])
def broker_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, listen: Listen) -> Iterator[None]:
    """For this test Celery's broker is a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = request.param.format(port=unused.getsockname()[1])
    present: Celery[Any] = current_app._get_current_object()  # type: ignore[attr-defined]  # what is behind the proxy
    # Celery reads this variable before its own settings.
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    away = Celery("away", set_as_current=False)
    away.config_from_object("django.conf:settings", namespace="CELERY")
    away.conf.task_queues = doorbell.queues(url)
    away.conf.broker_transport_options = doorbell.transport_options(url)
    away.set_current()
    yield
    present.set_current()


@pytest.mark.usefixtures("broker_away")
def test_an_event_is_recorded_quickly_and_the_log_says_that_its_ring_was_dropped(
    account: Account, log: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with transaction.atomic():
        event_id = emit("order.shipped", {}, account=account)
    assert time.monotonic() - started < QUICKLY_SECONDS
    assert Event.objects.get().id == event_id
    (record,) = [record for record in log.records if record.levelname == "WARNING"]
    assert (record.message, record.__dict__["count"], record.__dict__["queue"]) == ("ring dropped", 1, "fanout")


@pytest.mark.usefixtures("broker_away")
def test_after_a_failed_ring_nobody_waits_for_the_broker_again_for_a_while(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit("order.shipped", {}, account=account)
    monkeypatch.setattr(Celery, "send_task", lambda *_, **__: pytest.fail("the broker was tried again"))
    emit("order.shipped", {}, account=account)
    assert Event.objects.count() == 2


def test_a_ring_that_raises_what_nobody_expected_is_in_the_log_and_the_event_is_recorded(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def send_task(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr(Celery, "send_task", send_task)
    with transaction.atomic():
        event_id = emit("order.shipped", {}, account=account)
    assert Event.objects.get().id == event_id
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "nobody expected this" in record.getMessage()


@pytest.mark.usefixtures("broker_away")
def test_fan_out_stores_its_deliveries(subscription: Subscription) -> None:
    assert fan_out([emit("order.shipped", {}, account=subscription.account)]).deliveries == 1
    assert Delivery.objects.count() == 1


@pytest.mark.usefixtures("broker_away")
def test_the_sweep_moves_on_what_is_overdue_and_loses_nothing(subscription: Subscription) -> None:
    fan_out([emit("order.shipped", {}, account=subscription.account)])
    emit("order.shipped", {}, account=subscription.account)
    let_pass(60)
    found = sweep()
    assert (found["events"], found["due"]) == (1, 1)


@pytest.mark.usefixtures("broker_away", "db")
def test_readiness_fails_and_names_the_broker() -> None:
    response = readyz(RequestFactory().get("/readyz"))
    assert response.status_code == 503
    assert json.loads(response.content) == {"status": "unavailable", "database": "ok", "broker": "unreachable"}


@pytest.mark.usefixtures("db")
def test_readiness_is_answered_where_all_is_well_and_enqueues_nothing(listen: Listen) -> None:
    response = readyz(RequestFactory().get("/readyz"))
    assert json.loads(response.content) == {"status": "ok", "database": "ok", "broker": "ok"}
    assert [listen(queue) for queue in current_app.amqp.queues] == [[]] * 4


def test_what_was_recorded_meanwhile_is_rung_by_the_sweep(
    account: Account, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "_quiet_until", time.monotonic() + 60)
    event_id = emit("order.shipped", {}, account=account)
    assert listen("fanout") == []
    monkeypatch.setattr(doorbell, "_quiet_until", 0.0)
    let_pass(60)
    sweep()
    assert [rung.ids for rung in listen("fanout")] == [[event_id]]


@pytest.mark.usefixtures("broker_away", "db")
def test_the_metrics_say_so_and_lose_no_other_figure() -> None:
    samples = {sample.name: sample.value for family in HubCollector().collect() for sample in family.samples}
    assert samples["webhookhub_broker_up"] == 0
    assert "webhookhub_queue_messages" not in samples
    assert {"webhookhub_oldest_due_seconds", "webhookhub_attempts_total"} <= samples.keys()
