"""How do tests bring rows about, and time? Through the stages themselves; only the clock is pushed by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from deliveries.claim import Claim, claim
from deliveries.engine import Flight, Landing
from deliveries.fan_out import fan_out
from deliveries.models import Delivery, DeliveryAttempt
from deliveries.sweep import sweep
from deliveries.transport import Answer, Request, Result, Timings
from subscriptions.endpoints import load_endpoints
from subscriptions.models import Subscription
from webhookhub.conf import hub_settings
from webhookhub.events import NewEvent, emit_many

T = TypeVar("T")

NOTHING_SENT = Request(url="http://127.0.0.1:9/", headers=(), body=b"", timeout_seconds=1)


def make_pending(subscription: Subscription, count: int = 1) -> list[UUID]:
    """Deliveries to this subscription that are due now, from events that were fanned out; in the order of their ids."""
    event_ids = emit_many(
        [NewEvent(type="order.shipped", data={"n": n}) for n in range(count)], account=subscription.account
    )
    fan_out(event_ids)
    found = Delivery.objects.filter(subscription=subscription, event_id__in=event_ids)
    return sorted(found.values_list("id", flat=True))


def claim_one(delivery_id: UUID) -> Claim:
    """The claim of a delivery that can be claimed."""
    (one,) = claim([delivery_id])
    return one


def land(one: Claim, result: Result, **changes: Any) -> Landing:
    """The claim's request came back with this; `changes` are made to the profile of its subscription."""
    version = one.subscription_version
    assert version is not None
    endpoint = load_endpoints({one.subscription_id: version})[one.subscription_id]
    endpoint = replace(endpoint, profile=replace(endpoint.profile, **changes))
    return Landing(
        flight=Flight(claim=one, endpoint=endpoint, request=NOTHING_SENT),
        started_monotonic=one.claimed_monotonic,
        result=result,
    )


def answered(status_code: int = 200, *headers: tuple[str, str], body: bytes = b"", total_ms: float = 0.0) -> Answer:
    """A whole answer that took no time, unless said."""
    return Answer(
        status_code=status_code,
        headers=headers,
        body=body,
        truncated=False,
        timings=Timings(total_ms=total_ms),
        peer_address="127.0.0.1",
        connection_reused=False,
    )


def read_delivery(delivery_id: UUID) -> Delivery:
    """The delivery's row now."""
    return Delivery.objects.get(id=delivery_id)


def read_attempts(delivery_id: UUID) -> list[DeliveryAttempt]:
    """The delivery's attempts, the first one first."""
    return list(DeliveryAttempt.objects.filter(delivery_id=delivery_id).order_by("number"))


def change(delivery_ids: Iterable[UUID], **columns: object) -> None:
    """Set columns of deliveries, whatever the stages would say to it."""
    Delivery.objects.filter(id__in=list(delivery_ids)).update(**columns)


def let_pass(seconds: float) -> None:
    """So much time goes by for every event and delivery. `claimed_at` stays: it is a token, compared for equality alone."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhookhub_event SET wake_at = wake_at - %s * interval '1 second'", [seconds])
        cursor.execute(
            """UPDATE webhookhub_delivery
                  SET due_at = due_at - %(s)s * interval '1 second', wake_at = wake_at - %(s)s * interval '1 second',
                      expires_at = expires_at - %(s)s * interval '1 second'""",
            {"s": seconds},
        )


def lose_worker(one: Claim) -> Claim:
    """The claim's lease ends without a record, the sweep finds it, and another worker claims the delivery."""
    let_pass(hub_settings().lease_seconds)
    sweep()
    let_pass(60)
    return claim_one(one.delivery_id)


def database_now() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def run_at_once(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Run each in a thread with a database connection of its own; their results in order. Raises what one of them raised."""

    def run(function: Callable[[], T]) -> T:
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as threads:
        return [future.result(timeout=30) for future in [threads.submit(run, function) for function in functions]]


def end_connection() -> None:
    """The server ends this thread's connection, as when it restarts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def terminate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    run_at_once([terminate])
