"""deliver: what is wrong with one subscription, or with the database for a moment, costs nobody else anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from pytest_django import Settings

from deliveries.deliver import deliver
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.wire import Wire
from subscriptions.models import Profile, Subscription
from tests.integration.receiver import CONCURRENCY, Receiver, deliver_and_close, wait_until
from tests.integration.rows import answered, claim_one, land, make_pending, read_delivery, run_at_once
from webhookhub.conf import hub_settings


def break_secret(broken: Subscription) -> None:
    broken.secrets.update(encrypted_text="sealed under a key that is gone")


def break_profile(broken: Subscription) -> None:
    standard = Profile.objects.get(name="standard")
    standard.name, standard.success_statuses = "broken", "banana"
    standard.save(force_insert=True)
    Subscription.objects.filter(id=broken.id).update(profile="broken")


def break_url(broken: Subscription) -> None:
    Subscription.objects.filter(id=broken.id).update(url="http://[::1", profile="entity-change")


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("break_it", [break_secret, break_profile, break_url])
def test_one_broken_subscription_does_not_keep_its_neighbours_from_being_told(
    break_it: Callable[[Subscription], None], subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    broken = subscribed()
    make_pending(subscription)
    break_it(broken)
    try:
        deliver(list(Delivery.objects.values_list("id", flat=True)))
    finally:
        assert Delivery.objects.get(subscription=subscription).status == Status.DELIVERED
    assert Delivery.objects.get(subscription=broken).status != Status.DELIVERED


@pytest.mark.usefixtures("wire")
def test_many_subscriptions_known_here_are_not_taken_for_deleted(
    subscription: Subscription, subscribed: Callable[..., Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.endpoints.MOST_KEPT", 1)
    subscribed()
    make_pending(subscription)
    identifiers = set(Delivery.objects.values_list("id", flat=True))
    deliver(list(identifiers))
    subscribed()
    make_pending(subscription)
    deliver(list(set(Delivery.objects.values_list("id", flat=True)) - identifiers))
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DELIVERED}


def test_what_is_on_the_wire_when_the_database_restarts_is_recorded(
    subscription: Subscription, receiver: Receiver, wire: Wire, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.patience.RECONNECT_PAUSE_SECONDS", 0)
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"batch_wait_seconds": 10})
    receiver.is_silent = True
    identifiers = make_pending(subscription, CONCURRENCY + 1)

    def restart_when_sent() -> None:
        wait_until(lambda: len(receiver.on_wire) == CONCURRENCY)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        receiver.is_silent = False

    both: list[Callable[[], None]] = [partial(deliver_and_close, identifiers), restart_when_sent]
    run_at_once(both)
    connection.close()
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.DELIVERED, 1)}
    assert set(DeliveryAttempt.objects.values_list("outcome", flat=True)) == {"delivered"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_recorder_that_failed_at_one_result_records_the_next_ones(subscription: Subscription, wire: Wire) -> None:
    odd, plain = (claim_one(identifier) for identifier in make_pending(subscription, 2))
    # No JSON holds this header: stands for whatever nobody thought of.
    wire.recorder.put(land(odd, answered(200, ("x", "\ud800"))))
    wait_until(lambda: not any(thread.name == "recorder" for thread in threading.enumerate()))
    wire.recorder.put(land(plain, answered(200)))
    wait_until(lambda: read_delivery(plain.delivery_id).status == Status.DELIVERED)
