"""A webhook has limits: does the receiver's own clock see them kept, by several workers and after a crash, and does all arrive?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.customer import Customer, Subscriber
from tests.acceptance.hub import Hub
from tests.receivers.recording import Answer, RecordingReceiver

pytestmark = pytest.mark.acceptance

LEASE_SECONDS = 7
# What a worker is given to end.
GRACE_SECONDS = 20.0


@pytest.fixture
def customer(each_hub: Hub, recorder: RecordingReceiver) -> Iterator[Customer]:
    """A new account, on each broker."""
    yield Customer(each_hub, recorder)
    recorder.release()


def limit(customer: Customer, subscriber: Subscriber, *, rate: int | None = None, cap: int | None = None) -> None:
    """The subscriber has these limits from the next batch on, and no others."""
    customer.hub.query(
        """UPDATE webhookhub_subscription SET rate_limit_per_second = %s, concurrency_limit = %s
            WHERE id = %s RETURNING 1""",
        rate,
        cap,
        subscriber.id,
    )


def most_in_a_second(subscriber: Subscriber) -> int:
    """The most requests that arrived in any window of a second."""
    arrived = sorted(request.arrived_at for request in subscriber.requests)
    return max(sum(start <= moment < start + 1 for moment in arrived) for start in arrived)


def attempts_spent(customer: Customer) -> set[int]:
    return {delivery.attempt_count for delivery in customer.deliveries()}


def test_two_workers_keep_to_a_rate_limit_in_every_second_and_lose_nothing(customer: Customer) -> None:
    limited, other = customer.subscribe(), customer.subscribe()
    limit(customer, limited, rate=20)
    with customer.hub.deliverers(2):
        customer.emit(120)
        customer.hub.wait_until(lambda: len(other.requests) == 120, "all that has no limit")
        assert len(limited.requests) < 120
        customer.wait_until_settled()

    assert most_in_a_second(limited) <= 20 * 1.1 + 1
    assert attempts_spent(customer) == {1}, "waiting for a limit spends no attempt"
    customer.check_story()


def test_a_retry_counts_against_the_limit_as_any_attempt_does(customer: Customer) -> None:
    limited = customer.subscribe(Answer(status=503), Answer())
    limit(customer, limited, rate=10)
    with customer.hub.deliverers(2):
        customer.emit(20)
        customer.wait_until_settled()

    assert len(limited.requests) == 40
    assert most_in_a_second(limited) <= 10 * 1.1 + 1
    customer.check_story()


def test_those_in_line_go_at_the_new_rate_when_the_limit_is_changed(customer: Customer) -> None:
    limited = customer.subscribe()
    limit(customer, limited, rate=1)
    with customer.hub.deliverers(2):
        customer.emit(300)
        customer.hub.wait_until(lambda: len(limited.requests) >= 2, "the first of 300 seconds")
        limit(customer, limited, rate=100)
        customer.wait_until_settled()

    assert most_in_a_second(limited) <= 100 * 1.1 + 1
    customer.check_story()


def test_two_workers_together_have_no_more_on_the_wire_than_the_limit(customer: Customer) -> None:
    limited = customer.subscribe(Answer(delay_seconds=0.05))
    limit(customer, limited, cap=3)
    with customer.hub.deliverers(2):
        customer.emit(60)
        customer.wait_until_settled()

    assert limited.endpoint.most_at_once == 3
    assert attempts_spent(customer) == {1}
    customer.check_story()


def test_the_places_of_a_killed_worker_are_kept_until_its_lease_ends_and_used_again_then(customer: Customer) -> None:
    limited = customer.subscribe(Answer(delay_seconds=0.5))
    limit(customer, limited, cap=2)
    with customer.hub.deliverers() as (killed,):
        customer.emit(6)
        customer.hub.wait_until(lambda: limited.endpoint.waiting == 2, "two on the wire")
        killed.kill()
    begun = len(limited.requests)
    with customer.hub.deliverers(2):
        customer.wait_until_settled()

    arrived = sorted(request.arrived_at for request in limited.requests)
    # The last ones before the kill were claimed shortly before they arrived, and the lease counts from the claim.
    assert arrived[begun] - arrived[begun - 1] >= LEASE_SECONDS - 1
    assert limited.endpoint.most_at_once == 2
    customer.check_story(on_wire_at_fault=2)


def test_a_worker_told_to_end_gives_back_what_waits_for_its_moment(customer: Customer) -> None:
    limited = customer.subscribe()
    limit(customer, limited, rate=4)
    with customer.hub.deliverers() as (worker,):
        customer.emit(8)
        customer.hub.wait_until(lambda: len(limited.requests) >= 1, "the first one")
        worker.terminate()
        worker.popen.wait(GRACE_SECONDS)

    assert customer.claimed() == 0
    assert customer.recorded() == len(limited.requests) < 8
    with customer.hub.deliverers():
        customer.wait_until_settled()
    assert attempts_spent(customer) == {1}
    customer.check_story()
