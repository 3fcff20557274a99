"""Everything happens twice, at once, or too late: at most one attempt of a delivery at a time, and the newest one counts."""

from __future__ import annotations

import random
from threading import Barrier

from deliveries.claim import Claim, claim
from deliveries.fan_out import fan_out
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.record import record_landings
from deliveries.sweep import sweep
from deliveries.tasks import fan_out_task
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.rows import (
    answered,
    claim_one,
    land,
    let_pass,
    lose_worker,
    make_pending,
    read_attempts,
    read_delivery,
    run_at_once,
)
from webhookhub.conf import hub_settings
from webhookhub.events import NewEvent, emit_many
from webhookhub.models import Event

LEASE_SECONDS = hub_settings().lease_seconds


def settle(claims: list[Claim], status_code: int = 200) -> None:
    if claims:
        record_landings([land(one, answered(status_code)) for one in claims], rng=random.Random())


def test_every_message_published_twice_makes_one_attempt_each(subscription: Subscription, listen: Listen) -> None:
    emit_many([NewEvent(type="a", data=n) for n in range(20)], account=subscription.account)
    fan_outs = listen("fanout")
    for message in fan_outs * 2:
        fan_out_task.run([identifier.hex for identifier in message.ids])
    deliveries = listen("deliveries")
    for message in deliveries * 2:
        settle(claim(message.ids))
    assert (len(fan_outs), len(deliveries)) == (1, 1)
    assert DeliveryAttempt.objects.count() == Delivery.objects.count() == 20
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.DELIVERED, 1)}


def test_two_who_would_retry_now_make_one_attempt(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    settle([claim_one(delivery_id)], 500)
    let_pass(60)
    barrier = Barrier(2)

    def retry_now() -> list[Claim]:
        barrier.wait()
        return claim([delivery_id])

    claims = [one for claimed in run_at_once([retry_now] * 2) for one in claimed]
    assert [one.attempt_number for one in claims] == [2]


def test_a_doorbell_rung_a_hundred_times_is_answered_once(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    claims = [one for _ in range(100) for one in claim([delivery_id] * 2)]
    assert len(claims) == 1


def test_a_sweep_between_claim_and_result_changes_nothing(subscription: Subscription, listen: Listen) -> None:
    one = claim_one(make_pending(subscription)[0])
    listen("deliveries")
    let_pass(LEASE_SECONDS - 5)
    sweep()
    sweep()
    assert (claim([one.delivery_id]), listen("deliveries")) == ([], [])
    settle([one])
    assert read_delivery(one.delivery_id).status == Status.DELIVERED
    assert [attempt.outcome for attempt in read_attempts(one.delivery_id)] == ["delivered"]


def test_a_worker_that_lost_its_lease_to_the_sweep_cannot_overwrite_the_attempt_that_followed(
    subscription: Subscription,
) -> None:
    lost = claim_one(make_pending(subscription)[0])
    present = lose_worker(lost)
    settle([present])
    settle([lost], 410)
    row = read_delivery(lost.delivery_id)
    assert (row.status, row.attempt_count, row.last_status_code) == (Status.DELIVERED, 2, 200)
    # Both requests were made, and both are on record.
    assert [attempt.status_code for attempt in read_attempts(lost.delivery_id)] == [410, 200]


def test_a_result_and_a_sweep_at_the_same_time_leave_one_attempt_and_one_state(subscription: Subscription) -> None:
    claims = claim(make_pending(subscription, 100))
    let_pass(LEASE_SECONDS)
    landings = [land(one, answered()) for one in claims]
    barrier = Barrier(2)

    def record_results() -> None:
        barrier.wait()
        record_landings(landings, rng=random.Random())

    def sweep_meanwhile() -> None:
        barrier.wait()
        sweep()

    run_at_once([record_results, sweep_meanwhile])
    assert DeliveryAttempt.objects.count() == 100
    # The worker knew what came of each: that is on record, whoever was first.
    assert set(DeliveryAttempt.objects.values_list("outcome", flat=True)) == {"delivered"}
    assert not Delivery.objects.exclude(claimed_at=None).exists()
    assert not Delivery.objects.exclude(status__in=[Status.DELIVERED, Status.PENDING]).exists()


def test_fan_outs_and_claims_and_results_and_sweeps_all_at_once_lose_nothing(subscription: Subscription) -> None:
    event_ids = emit_many([NewEvent(type="a", data=n) for n in range(200)], account=subscription.account)
    barrier = Barrier(4)

    def work() -> None:
        barrier.wait()
        fan_out(event_ids)
        settle(claim(list(Delivery.objects.values_list("id", flat=True))))
        sweep()

    run_at_once([work] * 4)
    settle(claim(list(Delivery.objects.values_list("id", flat=True))))
    assert not Event.objects.exclude(wake_at=None).exists()
    assert Delivery.objects.count() == DeliveryAttempt.objects.count() == 200
    assert set(Delivery.objects.values_list("status", "attempt_count", "wake_at")) == {(Status.DELIVERED, 1, None)}
