"""deliver: a webhook's limits hold back what is too much, and everything gets its turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.deliver import deliver
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED, Delivery, Status
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.limited import limit, state_of
from tests.integration.receiver import CONCURRENCY, WAITING, Receiver, wait_until
from tests.integration.rows import make_pending, read_delivery


def are_rung(listen: Listen, identifiers: list[UUID]) -> bool:
    return [message.ids for message in listen("deliveries")] == [identifiers]


def delivered() -> int:
    return Delivery.objects.filter(status=Status.DELIVERED).count()


@pytest.mark.usefixtures("wire")
def test_everything_is_delivered_in_as_many_batches_as_the_limit_takes(
    subscription: Subscription, listen: Listen
) -> None:
    limit(subscription, rate=50)
    identifiers = make_pending(subscription, 12)
    listen("deliveries")
    deliver(identifiers)
    assert Delivery.objects.filter(last_outcome=RATE_LIMITED).count() >= 12 - WAITING

    def work_through_the_line() -> bool:
        for message in listen("deliveries"):
            deliver(message.ids)
        return delivered() == 12

    wait_until(work_through_the_line)
    assert set(Delivery.objects.values_list("attempt_count", flat=True)) == {1}


@pytest.mark.usefixtures("wire")
def test_one_place_on_the_wire_is_handed_on_until_all_had_it(
    subscription: Subscription, receiver: Receiver, listen: Listen
) -> None:
    limit(subscription, cap=1)
    identifiers = make_pending(subscription, 4)
    listen("deliveries")
    deliver(identifiers)
    for number in range(1, 4):
        following = identifiers[number : number + 1]
        wait_until(partial(are_rung, listen, following))
        assert len(receiver.started) == number
        deliver(following)
    wait_until(lambda: delivered() == 4)
    wait_until(lambda: state_of(subscription).places == {})


@pytest.mark.usefixtures("wire")
def test_while_all_places_are_on_the_wire_the_others_wait_for_them(
    subscription: Subscription, receiver: Receiver
) -> None:
    limit(subscription, cap=1)
    receiver.is_silent = True
    first, second = make_pending(subscription, 2)
    deliver([first])
    deliver([second])
    row = read_delivery(second)
    assert (row.last_outcome, row.attempt_count, len(receiver.on_wire)) == (CONCURRENCY_LIMITED, 0, 1)


@pytest.mark.usefixtures("wire")
def test_the_place_of_a_straggler_is_handed_on_as_soon_as_it_ends(
    subscription: Subscription, receiver: Receiver, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.recorder.FLUSH_SECONDS", 60)
    limit(subscription, cap=1)
    receiver.is_silent = True
    identifiers = make_pending(subscription, 2)
    listen("deliveries")
    deliver(identifiers)
    receiver.is_silent = False
    wait_until(partial(are_rung, listen, identifiers[1:]))


@pytest.mark.usefixtures("wire")
def test_what_never_got_onto_the_wire_leaves_its_place(subscription: Subscription, receiver: Receiver) -> None:
    limit(subscription, cap=100)
    receiver.is_silent = True
    identifiers = make_pending(subscription, CONCURRENCY + WAITING + 1)
    deliver(identifiers)
    assert set(state_of(subscription).places) == {str(identifier) for identifier in identifiers[:CONCURRENCY]}


@pytest.mark.usefixtures("wire")
def test_neighbours_without_limits_go_at_once(
    subscription: Subscription, subscribed: Callable[..., Subscription], receiver: Receiver
) -> None:
    other = subscribed(url="http://127.0.0.1:9/other")
    limit(subscription, rate=1)
    make_pending(subscription, 3)
    deliver(list(Delivery.objects.values_list("id", flat=True)))
    assert Delivery.objects.filter(subscription=other, status=Status.DELIVERED).count() == 3


@pytest.mark.usefixtures("wire")
def test_limits_cost_a_batch_two_statements_and_only_where_there_are_some(subscription: Subscription) -> None:
    limit(subscription, rate=1)
    first, *identifiers = make_pending(subscription, 10)
    deliver([first])
    assert kinds_of_statements(identifiers)[:3] == ["claimed", "wanted", "join"]
    limit(subscription)
    unlimited = make_pending(subscription, 3)
    deliver(unlimited[:1])
    assert set(kinds_of_statements(unlimited[1:])) == {"claimed", "landed"}


def kinds_of_statements(identifiers: list[UUID]) -> list[str]:
    """What each statement of this thread is about."""
    with CaptureQueriesContext(connection) as captured:
        deliver(identifiers)
    words = [query["sql"].split() for query in captured.captured_queries]
    return ["join" if words_of_one[0] == "UPDATE" else words_of_one[1] for words_of_one in words]
