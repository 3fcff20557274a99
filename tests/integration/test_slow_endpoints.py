"""Endpoints that take long: through which queue are their deliveries told, and how do they come back?"""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import UUID

import pytest

from deliveries.breaker import judge
from deliveries.claim import claim
from deliveries.fan_out import fan_out
from deliveries.figure_models import MinuteFigures
from deliveries.inline_fan_out import InlineFanOut
from deliveries.models import Delivery
from deliveries.record import record_landings
from deliveries.recorder import Recorder
from deliveries.sweep import sweep
from deliveries.tally import fold
from subscriptions.models import Circuit, CircuitState, Subscription
from tests.integration.conftest import Listen
from tests.integration.rows import answered, land, let_pass, make_pending
from webhookhub.event_rows import NewEvent, to_row
from webhookhub.events import emit
from webhookhub.ingest.sink import Unrung

pytestmark = pytest.mark.usefixtures("db")

ENOUGH = 10


def answer_in(total_ms: float, subscription: Subscription) -> None:
    """So many deliveries arrive, each after so long, and the figures are judged."""
    claims = claim(make_pending(subscription, ENOUGH))
    record_landings([land(one, answered(200, total_ms=total_ms)) for one in claims], rng=random.Random(1))
    fold()
    judge()


def rung_in(queue: str, listen: Listen) -> set[UUID]:
    """The subscriptions that are rung for there."""
    identifiers = [identifier for rung in listen(queue) for identifier in rung.ids]
    return set(Delivery.objects.filter(id__in=identifiers).values_list("subscription_id", flat=True))


def test_deliveries_of_a_slow_endpoint_are_never_in_a_message_with_those_of_others(
    subscription: Subscription, subscribed: Callable[..., Subscription], listen: Listen
) -> None:
    answer_in(2_000, subscription)
    prompt = subscribed()
    listen("deliveries")
    fan_out([emit("order.shipped", {}, account=subscription.account) for _ in range(3)])
    assert rung_in("deliveries", listen) == {prompt.id}
    assert rung_in("deliveries.slow", listen) == {subscription.id}


def test_the_retry_of_a_straggler_is_rung_for_there(subscription: Subscription, listen: Listen) -> None:
    answer_in(2_000, subscription)
    claims = claim(make_pending(subscription))
    for queue in ("deliveries", "deliveries.slow"):
        listen(queue)
    recorder = Recorder()
    recorder.put(land(claims[0], answered(500)))
    recorder.close(5)
    assert rung_in("deliveries.slow", listen) == {subscription.id}


def test_the_sweep_rings_for_them_there_too(
    subscription: Subscription, subscribed: Callable[..., Subscription], listen: Listen
) -> None:
    answer_in(2_000, subscription)
    prompt = subscribed()
    fan_out([emit("order.shipped", {}, account=subscription.account)])
    for queue in ("deliveries", "deliveries.slow"):
        listen(queue)
    let_pass(3_600)
    sweep()
    assert rung_in("deliveries", listen) == {prompt.id}
    assert rung_in("deliveries.slow", listen) == {subscription.id}


def test_an_event_that_a_slow_endpoint_wants_waits_for_its_fan_out(subscription: Subscription, listen: Listen) -> None:
    sink, account = InlineFanOut(), subscription.account

    def publish() -> int:
        row = to_row(NewEvent(type="order.shipped", data={}), 1_000)
        inserted = sink.insert([(account.id, row)])
        waits = [] if inserted.deliveries else [row.id]
        sink.ring(Unrung(events=waits, deliveries=[one for found in inserted.deliveries.values() for one in found]))
        return len(inserted.deliveries)

    assert [publish(), publish()] == [0, 1]
    answer_in(2_000, subscription)
    # The first one finds that the account's subscriptions have moved.
    assert [publish(), publish()] == [0, 0]


def test_a_slow_endpoint_comes_back_by_itself_when_it_is_faster_or_nothing_is_sent_to_it(
    subscription: Subscription, listen: Listen
) -> None:
    answer_in(2_000, subscription)
    assert Circuit.objects.get().is_slow
    MinuteFigures.objects.all().delete()
    answer_in(900, subscription)
    assert not Circuit.objects.filter(is_slow=True).exists()
    MinuteFigures.objects.all().delete()
    answer_in(5_000, subscription)
    MinuteFigures.objects.all().delete()
    judge()
    assert not Circuit.objects.filter(is_slow=True).exists()
    for queue in ("deliveries", "deliveries.slow"):
        listen(queue)
    make_pending(subscription)
    assert rung_in("deliveries", listen) == {subscription.id}


def test_what_failed_before_an_endpoint_was_slow_counts_against_it_still(subscription: Subscription) -> None:
    answer_in(2_000, subscription)
    claims = claim(make_pending(subscription, 4 * ENOUGH))
    record_landings([land(one, answered(500, total_ms=2_000)) for one in claims], rng=random.Random(1))
    fold()
    judge()
    circuit = Circuit.objects.get()
    assert (circuit.state, circuit.openings, circuit.is_slow) == (CircuitState.OPEN, 1, True)


def test_an_endpoint_that_is_slow_stays_known_for_longer_than_the_window(subscription: Subscription) -> None:
    answer_in(2_000, subscription)
    Circuit.objects.update(since="2020-01-01T00:00:00Z")
    judge()
    circuit = Circuit.objects.get()
    assert (circuit.state, circuit.is_slow) == (CircuitState.CLOSED, True)
