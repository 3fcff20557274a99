"""pacer: each flight begins at its moment or not at all."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from deliveries.cancel import cancel
from deliveries.engine import Flight
from deliveries.limits import Moment
from deliveries.line import rejoin
from deliveries.models import Delivery, Status
from deliveries.wire import Wire
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.limited import admitted, ask, fly, limit, make_line
from tests.integration.receiver import CONCURRENCY, WAITING, Receiver, wait_until
from tests.integration.rows import make_pending, read_attempts, read_delivery

LONG_SECONDS = 60.0


@pytest.fixture
def limited(subscription: Subscription) -> Subscription:
    """A subscription with a rate limit that leaves room for every test."""
    limit(subscription, rate=1000)
    return subscription


def fly_all(identifiers: list[UUID]) -> list[Flight]:
    batch = admitted(identifiers)
    assert ask(batch).waiting == []
    return fly(batch)


def from_now(seconds: float, *, until: float = LONG_SECONDS) -> Moment:
    return Moment(begin=time.monotonic() + seconds, end=time.monotonic() + until)


def test_a_flight_begins_at_its_moment_and_what_came_of_it_is_recorded(
    limited: Subscription, receiver: Receiver, wire: Wire
) -> None:
    (identifier,) = make_pending(limited)
    (flight,) = fly_all([identifier])
    moment = from_now(0.1)
    wire.pacer.put([(flight, moment)])
    receiver.has_request.wait(5)
    assert time.monotonic() >= moment.begin
    wait_until(lambda: read_delivery(identifier).status == Status.DELIVERED)
    assert len(read_attempts(identifier)) == 1


def test_flights_begin_in_the_order_of_their_moments_whatever_came_first(
    limited: Subscription, receiver: Receiver, wire: Wire
) -> None:
    late, early = fly_all(make_pending(limited, 2))
    early = early._replace(
        request=type(early.request)(url="http://127.0.0.1:9/early", headers=(), body=b"", timeout_seconds=1)
    )
    wire.pacer.put([(late, from_now(0.2))])
    wire.pacer.put([(early, from_now(0.1))])
    wait_until(lambda: len(receiver.started) == 2)
    assert receiver.started[0].url == "http://127.0.0.1:9/early"


def test_one_that_missed_its_moment_is_not_sent_and_is_called_again(
    limited: Subscription, receiver: Receiver, wire: Wire, listen: Listen
) -> None:
    identifiers = make_pending(limited)
    listen("deliveries")
    wire.pacer.put([(flight, from_now(0, until=-0.001)) for flight in fly_all(identifiers)])
    wait_until(lambda: read_delivery(identifiers[0]).claimed_at is None)
    row = read_delivery(identifiers[0])
    assert (row.status, row.attempt_count, receiver.started) == (Status.PENDING, 0, [])
    wait_until(lambda: [message.ids for message in listen("deliveries")] == [identifiers])


def test_one_that_finds_the_endpoint_s_share_taken_does_not_wait_for_it(
    limited: Subscription, receiver: Receiver, wire: Wire
) -> None:
    receiver.is_silent = True
    identifiers = make_pending(limited, CONCURRENCY + 1)
    wire.pacer.put([(flight, from_now(0)) for flight in fly_all(identifiers)])
    wait_until(lambda: read_delivery(identifiers[-1]).claimed_at is None)
    assert len(receiver.started) == CONCURRENCY
    assert read_delivery(identifiers[-1]).attempt_count == 0


def test_one_that_is_cancelled_before_its_moment_is_never_sent(
    limited: Subscription, receiver: Receiver, wire: Wire
) -> None:
    cancelled, other = make_pending(limited, 2)
    wire.pacer.put([(flight, from_now(LONG_SECONDS / 2)) for flight in fly_all([cancelled, other])])
    cancel([cancelled])
    wait_until(lambda: read_delivery(cancelled).claimed_at is None)
    row = read_delivery(cancelled)
    assert (receiver.started, row.status, row.attempt_count) == ([], Status.CANCELLED, 0)
    assert wire.pacer.room(limited.id) == WAITING - 1, "the other one still waits for its moment"


def test_as_moments_pass_the_next_in_line_are_called(limited: Subscription, wire: Wire, listen: Listen) -> None:
    limit(limited, rate=4)
    first, *_ = make_pending(limited, 1)
    flights = fly_all([first])
    waiting = make_line(limited, 5)
    listen("deliveries")
    wire.pacer.put([(flight, from_now(0)) for flight in flights])
    rung: list[UUID] = []

    def all_that_fit_were_called() -> bool:
        rung.extend(identifier for message in listen("deliveries") for identifier in message.ids)
        return len(rung) >= 4

    # In the second ahead: at 0.25, 0.5, 0.75 and 1.0 seconds.
    wait_until(all_that_fit_were_called)
    assert rung == waiting[: len(rung)]


def test_a_process_keeps_so_many_flights_to_one_subscription(limited: Subscription, wire: Wire) -> None:
    flights = fly_all(make_pending(limited, 2))
    assert wire.pacer.room(limited.id) == WAITING
    wire.pacer.put([(flight, from_now(LONG_SECONDS)) for flight in flights])
    assert wire.pacer.room(limited.id) == WAITING - 2


def test_what_has_not_begun_when_the_worker_ends_joins_the_line_again(
    limited: Subscription, receiver: Receiver, wire: Wire
) -> None:
    identifiers = make_pending(limited, 2)
    wire.pacer.put([(flight, from_now(LONG_SECONDS)) for flight in fly_all(identifiers)])
    rejoin(wire.pacer.close(5))
    assert receiver.started == []
    assert set(Delivery.objects.values_list("attempt_count", "claimed_at")) == {(0, None)}
