"""What the tests of the stages stand on: a database where things are committed, and the broker's real queues."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

import pytest
from celery import current_app
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings

from deliveries.engine import Engine
from deliveries.pacer import Pacer
from deliveries.recorder import Recorder
from deliveries.token_desk import TokenDesk
from deliveries.wire import Wire
from subscriptions.builtin_profiles import BUILT_IN_PROFILES
from subscriptions.models import Profile, Subscription
from tests.integration.receiver import CONCURRENCY, WAITING, Receiver
from tests.integration.rows import make_pending
from tests.unit.scripted_transport import ScriptedTransport
from webhookhub import doorbell
from webhookhub.conf import hub_settings

# Children before parents; the delivery profiles of the migrations stay.
_TABLES = (
    "webhookhub_delivery_attempt",
    "webhookhub_delivery",
    "webhookhub_event",
    "webhookhub_secret",
    "webhookhub_subscription",
    "webhookhub_api_key",
    "webhookhub_job",
    "webhookhub_idempotency_key",
    "webhookhub_event_type",
    "webhookhub_limit_state",
    "webhookhub_tally",
    "webhookhub_figures_minute",
    "webhookhub_figures_hour",
    "webhookhub_counter",
    "webhookhub_process",
    "webhookhub_account",
    "django_admin_log",
    "django_session",
    "auth_user_user_permissions",
    "auth_user",
)


class Rung(NamedTuple):
    """One message as the broker has it."""

    task: str
    ids: list[UUID]
    is_for_later: bool


Listen = Callable[[str], list[Rung]]


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Instead of pytest-django's: no transaction around the test. Commits are real, the clock moves on, threads see the rows."""
    with django_db_blocker.unblock():
        yield
        # A test may have lost it.
        connection.close()
        with connection.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(f"DELETE FROM {table}")
        Profile.objects.exclude(name__in=[profile.name for profile in BUILT_IN_PROFILES]).delete()
        connection.close()


@pytest.fixture(autouse=True)
def listen(monkeypatch: pytest.MonkeyPatch) -> Listen:
    """Takes what waits in a queue of the real broker: `listen("fanout")`. Every test begins with empty queues."""
    monkeypatch.setattr(doorbell, "_quiet_until", 0.0)
    for queue in current_app.amqp.queues:
        take_messages(queue)
    return take_messages


def take_messages(queue: str) -> list[Rung]:
    """The messages that wait in `queue`, in order; they are gone afterwards."""
    taken: list[Rung] = []
    with current_app.connection_for_read() as broker, broker.channel() as channel:
        bound = current_app.amqp.queues[queue].bind(channel)
        bound.declare()
        while (message := bound.get(no_ack=True)) is not None:
            (identifiers,), _, _ = message.decode()
            ids = [UUID(identifier) for identifier in identifiers]
            taken.append(Rung(message.headers["task"], ids, message.headers["eta"] is not None))
    return taken


@pytest.fixture
def subscription(subscribed: Callable[..., Subscription]) -> Subscription:
    """One subscription to everything."""
    return subscribed()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the hub's stages wrote, from INFO on."""
    caplog.set_level(logging.INFO, logger="webhookhub")
    return caplog


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.end()


@pytest.fixture
def token_endpoint() -> ScriptedTransport:
    """What access tokens are asked for from; it answers when the test says so."""
    return ScriptedTransport()


@pytest.fixture
def wire(
    db: None, receiver: Receiver, token_endpoint: ScriptedTransport, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Iterator[Wire]:
    """This process's wire, with the receiver at its other end; a task waits a fifth of a second for stragglers."""
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"batch_wait_seconds": 0.2})
    engine = Engine(receiver, endpoint_concurrency=CONCURRENCY, endpoint_waiting=WAITING)
    recorder = Recorder()
    wire = Wire(
        engine=engine,
        recorder=recorder,
        pacer=Pacer(engine, recorder, endpoint_waiting=WAITING),
        tokens=TokenDesk(lambda: token_endpoint, user_agent="WebhookHub/1.0"),
        pid=0,
    )
    monkeypatch.setattr("deliveries.deliver.open_wire", lambda: wire)
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", 3_600)
    yield wire
    wire.tokens.close(5)
    wire.pacer.close(5)
    wire.recorder.close(5)


@pytest.fixture
def pending(subscription: Subscription, listen: Listen) -> list[UUID]:
    """One delivery whose doorbell nobody heard."""
    identifiers = make_pending(subscription)
    for queue in ("fanout", "deliveries"):
        listen(queue)
    return identifiers
