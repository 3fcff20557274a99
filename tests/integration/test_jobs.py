"""Jobs: one thing done to all deliveries that a filter finds, in steps that survive whoever takes them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event
from uuid import UUID

import pytest
from django.db import DataError, transaction
from pytest_django import DjangoAssertNumQueries

from deliveries import jobs
from deliveries.claim import claim
from deliveries.filters import DeliveryFilter
from deliveries.jobs import STOPPED, create_job, ring_for_overdue_jobs, run_job, stop_job
from deliveries.models import Delivery, Job, JobKind, JobStatus, Status
from deliveries.record import record_landings
from deliveries.replay import replay, replay_event
from deliveries.sweep import sweep
from deliveries.tasks import run_job_task
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled, subscribe
from tests.integration.conftest import Listen
from tests.integration.rows import (
    answered,
    change,
    database_now,
    land,
    make_pending,
    read_delivery,
    run_at_once,
)
from webhookhub import models
from webhookhub.conf import hub_settings
from webhookhub.errors import BadFilterError
from webhookhub.models import Account

EVERYTHING = DeliveryFilter()
FAILED = DeliveryFilter(statuses=(Status.FAILED,))


def settle(identifiers: Sequence[UUID], status_code: int) -> None:
    record_landings([land(one, answered(status_code)) for one in claim(identifiers)], rng=random.Random())


def make_failed(subscription: Subscription, count: int = 1) -> list[UUID]:
    identifiers = make_pending(subscription, count)
    settle(identifiers, 410)
    return identifiers


def make_job(account: Account, kind: JobKind, wanted: DeliveryFilter = EVERYTHING, reason: str = "") -> Job:
    """A job that nobody has begun; the deliveries made before are old enough to be its business."""
    let_events_grow_old()
    return create_job(account.id, kind=kind, wanted=wanted, reason=reason)


def let_events_grow_old() -> None:
    """A millisecond goes by: a job looks at events of the milliseconds before its own."""
    before = database_now()
    while database_now() - before < timedelta(milliseconds=2):
        pass


def finish(job: Job) -> Job:
    """Run it to its end, however often that takes."""
    while read(job).status in (JobStatus.WAITING, JobStatus.RUNNING):
        run_job(job.id)
    return read(job)


def read(job: Job) -> Job:
    return Job.objects.get(id=job.id)


def replays() -> list[Delivery]:
    return list(Delivery.objects.filter(trigger__startswith="replay:"))


def test_a_job_is_rung_for_when_it_is_created_and_waits_for_a_worker(
    account: Account, subscription: Subscription, listen: Listen
) -> None:
    make_pending(subscription)
    job = make_job(account, JobKind.CANCEL)
    assert [(message.task, message.ids) for message in listen("maintenance")] == [("deliveries.run_job", [job.id])]
    row = read(job)
    assert (row.status, row.examined, row.changed, row.started_at) == (JobStatus.WAITING, 0, 0, None)


def test_a_job_cancels_what_its_filter_finds(account: Account, subscribed: Callable[..., Subscription]) -> None:
    chosen, other = (make_pending(subscribed(event_types=["order.*"]), 3) for _ in range(2))
    webhook = read_delivery(chosen[0]).subscription.shown_id
    make_pending(subscribed(event_types=["never"]), 1)
    wanted = DeliveryFilter(webhook=webhook, statuses=(Status.PENDING,))
    row = finish(make_job(account, JobKind.CANCEL, wanted, "wrong prices"))
    cancelled = Delivery.objects.filter(status=Status.CANCELLED)
    assert {delivery.subscription.shown_id for delivery in cancelled} == {webhook}
    assert {delivery.failure_reason for delivery in cancelled} == {"wrong prices"}
    assert (row.status, row.examined, row.changed) == (JobStatus.DONE, len(cancelled), len(cancelled))
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.wake_at is None
    assert {read_delivery(identifier).status for identifier in other} == {Status.PENDING}


def test_a_job_makes_due_what_waits_for_its_retry(account: Account, subscription: Subscription, listen: Listen) -> None:
    waiting = make_pending(subscription, 3)
    settle(waiting, 500)
    listen("deliveries")
    row = finish(make_job(account, JobKind.RETRY))
    assert (row.examined, row.changed) == (3, 3)
    assert [message.ids for message in listen("deliveries")] == [waiting]
    assert len(claim(waiting)) == 3


def test_a_job_replays_failures_once_each_and_nothing_else(
    account: Account, subscription: Subscription, listen: Listen
) -> None:
    failed = make_failed(subscription, 3)
    settle(make_pending(subscription, 2), 200)
    make_pending(subscription, 2)
    listen("deliveries")
    row = finish(make_job(account, JobKind.REPLAY, FAILED))
    assert (row.status, row.examined, row.changed) == (JobStatus.DONE, 3, 3)
    made = replays()
    assert {delivery.event_id for delivery in made} == {read_delivery(identifier).event_id for identifier in failed}
    assert {delivery.trigger for delivery in made} == {f"replay:{job_id.hex}" for job_id in [row.id]}
    assert sorted(listen("deliveries")[0].ids) == sorted(delivery.id for delivery in made)


def test_a_replay_since_a_moment_touches_nothing_from_before(account: Account, subscription: Subscription) -> None:
    make_failed(subscription, 2)
    let_events_grow_old()
    since = database_now()
    late = make_failed(subscription)
    row = finish(make_job(account, JobKind.REPLAY, replace(FAILED, since=since)))
    assert (row.examined, row.changed) == (1, 1)
    assert [delivery.event_id for delivery in replays()] == [read_delivery(late[0]).event_id]


def test_a_replay_from_before_the_retention_is_refused(account: Account, subscription: Subscription) -> None:
    days = timedelta(days=hub_settings().retention_days)
    with pytest.raises(BadFilterError, match="is past the retention"):
        make_job(account, JobKind.REPLAY, replace(FAILED, since=database_now() - days - timedelta(minutes=1)))
    assert not Job.objects.exists()
    make_job(account, JobKind.REPLAY, replace(FAILED, since=database_now() - days + timedelta(minutes=1)))


def test_a_replay_without_a_status_is_refused(account: Account) -> None:
    with pytest.raises(BadFilterError, match="is missing"):
        make_job(account, JobKind.REPLAY)


def test_a_job_does_not_replay_its_own_replays(
    account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS_A_STEP", 1)
    make_failed(subscription, 3)
    job = make_job(account, JobKind.REPLAY, FAILED)
    while jobs._take_step(job.id):
        # They fail at once: then they are what the filter means, and lie beside those that they replay.
        settle([delivery.id for delivery in replays()], 410)
    assert (len(replays()), read(job).changed) == (3, 3)


def test_what_was_recorded_after_a_job_was_created_is_none_of_its_business(
    account: Account, subscription: Subscription
) -> None:
    before = make_pending(subscription, 2)
    job = make_job(account, JobKind.CANCEL)
    let_events_grow_old()
    after = make_pending(subscription, 2)
    assert finish(job).changed == 2
    assert {read_delivery(identifier).status for identifier in before} == {Status.CANCELLED}
    assert {read_delivery(identifier).status for identifier in after} == {Status.PENDING}


def test_two_jobs_for_the_same_failures_replay_each_once(account: Account, subscription: Subscription) -> None:
    make_failed(subscription, 3)
    pair = [make_job(account, JobKind.REPLAY, FAILED) for _ in range(2)]
    barrier = Barrier(2)

    def run(job: Job) -> None:
        barrier.wait()
        run_job(job.id)

    run_at_once([lambda job=job: run(job) for job in pair])  # type: ignore[misc]  # a lambda's default has no type
    assert sorted(finish(job).changed for job in pair) == [0, 3]
    assert len(replays()) == 3


def test_failures_that_were_made_good_are_not_replayed_again(account: Account, subscription: Subscription) -> None:
    made_good, failed_again = make_failed(subscription, 2)
    settle([row.id for row in replay([made_good], request="1").deliveries], 200)
    settle([row.id for row in replay([failed_again], request="1").deliveries], 410)
    row = finish(make_job(account, JobKind.REPLAY, FAILED))
    # The failure and its first replay are one event for one webhook.
    assert (row.examined, row.changed) == (3, 1)


def test_what_was_delivered_is_replayed_where_that_is_asked_for(account: Account, subscription: Subscription) -> None:
    settle(make_pending(subscription, 2), 200)
    delivered = DeliveryFilter(statuses=(Status.DELIVERED,))
    assert finish(make_job(account, JobKind.REPLAY, delivered)).changed == 2


def test_what_is_still_on_its_way_is_not_replayed_by_a_job(account: Account, subscription: Subscription) -> None:
    make_pending(subscription)
    change(make_pending(subscription), status=Status.HELD)
    outstanding = DeliveryFilter(statuses=(Status.PENDING, Status.HELD))
    row = finish(make_job(account, JobKind.REPLAY, outstanding))
    assert (row.examined, row.changed) == (2, 0)


def test_tests_of_webhooks_are_not_replayed_by_a_job(account: Account, subscription: Subscription) -> None:
    change(make_failed(subscription), trigger="test")
    assert finish(make_job(account, JobKind.REPLAY, FAILED)).changed == 0


def test_what_it_cannot_be_done_to_is_examined_and_not_changed(account: Account, subscription: Subscription) -> None:
    make_failed(subscription, 2)
    set_enabled(subscription, False)
    row = finish(make_job(account, JobKind.REPLAY, FAILED))
    assert (row.status, row.examined, row.changed) == (JobStatus.DONE, 2, 0)


def test_a_job_leaves_other_accounts_alone(
    account: Account, subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    stranger = Account.objects.create(name="Bob's shop")
    make_pending(subscription)
    assert finish(make_job(stranger, JobKind.CANCEL)).examined == 0
    assert Delivery.objects.get().status == Status.PENDING


def test_a_job_goes_on_where_its_last_step_ended(
    account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS_A_STEP", 2)
    identifiers = make_pending(subscription, 5)
    job = make_job(account, JobKind.CANCEL)
    assert jobs._take_step(job.id)
    row = read(job)
    assert (row.status, row.position, row.examined, row.changed) == (JobStatus.RUNNING, identifiers[1], 2, 2)
    assert [read_delivery(one).status == Status.CANCELLED for one in identifiers] == [True, True, False, False, False]
    assert finish(job).changed == 5


def test_a_step_that_breaks_off_has_done_nothing_and_is_taken_again(
    account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_failed(subscription, 2)
    job = make_job(account, JobKind.REPLAY, FAILED)

    def fail() -> None:
        raise DataError

    with monkeypatch.context() as broken:
        # The last thing that a step asks for, after the replays.
        broken.setattr(jobs, "_look_again_at", fail)
        broken.setattr(jobs, "ROWS_A_STEP", 1)
        with pytest.raises(DataError):
            run_job(job.id)
    assert (replays(), read(job).examined) == ([], 0)
    assert finish(job).changed == 2


def test_two_workers_never_take_one_step_twice(
    account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS_A_STEP", 5)
    make_failed(subscription, 60)
    job = make_job(account, JobKind.REPLAY, FAILED)
    barrier = Barrier(3)

    def run() -> None:
        barrier.wait()
        finish(job)

    run_at_once([run] * 3)
    row = read(job)
    assert (row.examined, row.changed, len(replays())) == (60, 60, 60)


def test_a_long_job_goes_to_the_end_of_the_queue(
    account: Account, subscription: Subscription, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS_A_STEP", 1)
    monkeypatch.setattr(jobs, "BUDGET_SECONDS", 0)
    make_pending(subscription, 3)
    job = make_job(account, JobKind.CANCEL)
    listen("maintenance")
    run_job(job.id)
    assert read(job).examined == 1
    assert [message.ids for message in listen("maintenance")] == [[job.id]]


def test_the_sweep_rings_for_a_job_whose_worker_or_message_was_lost(
    account: Account, subscription: Subscription, listen: Listen
) -> None:
    job = make_job(account, JobKind.CANCEL)
    listen("maintenance")
    assert ring_for_overdue_jobs() == 0
    Job.objects.update(wake_at=database_now())
    assert sweep()["jobs"] == 1
    assert [message.ids for message in listen("maintenance")] == [[job.id]]
    assert ring_for_overdue_jobs() == 0


def test_a_job_that_is_over_is_not_rung_for(account: Account) -> None:
    job = make_job(account, JobKind.CANCEL)
    Job.objects.update(wake_at=database_now() - timedelta(hours=1))
    finish(job)
    assert ring_for_overdue_jobs() == 0


def test_a_job_that_somebody_works_at_is_passed_over(account: Account, listen: Listen) -> None:
    job = make_job(account, JobKind.CANCEL)
    Job.objects.update(wake_at=database_now() - timedelta(hours=1))
    listen("maintenance")
    is_taken, has_been_asked = Event(), Event()

    def work() -> int:
        with transaction.atomic():
            Job.objects.select_for_update().get(id=job.id)
            is_taken.set()
            has_been_asked.wait(5)
        return 0

    def ask() -> int:
        is_taken.wait(5)
        try:
            run_job(job.id)
            return ring_for_overdue_jobs()
        finally:
            has_been_asked.set()

    assert run_at_once([work, ask]) == [0, 0]
    assert (listen("maintenance"), read(job).status) == ([], JobStatus.WAITING)


def test_a_stopped_job_takes_no_further_step(
    account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS_A_STEP", 1)
    make_pending(subscription, 3)
    job = make_job(account, JobKind.CANCEL)
    jobs._take_step(job.id)
    assert stop_job(job.id)
    run_job(job.id)
    row = read(job)
    assert (row.status, row.error, row.changed, row.wake_at) == (JobStatus.FAILED, STOPPED, 1, None)
    assert not stop_job(job.id)


def test_a_job_keeps_to_the_webhook_that_had_the_uid_when_it_was_created(
    account: Account, subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    Subscription.objects.filter(id=subscription.id).update(uid="of-mine")
    make_pending(subscription)
    job = make_job(account, JobKind.CANCEL, DeliveryFilter(webhook="of-mine"))
    Subscription.objects.filter(id=subscription.id).update(uid=None)
    Subscription.objects.filter(id=subscribed().id).update(uid="of-mine")
    assert finish(job).changed == 1


def test_a_uid_that_no_webhook_has_is_refused(account: Account) -> None:
    with pytest.raises(BadFilterError, match="is no webhook's uid"):
        make_job(account, JobKind.CANCEL, DeliveryFilter(webhook="nobody"))


def test_a_job_whose_filter_cannot_be_read_any_more_fails_and_says_why(
    account: Account, subscription: Subscription
) -> None:
    job = make_job(account, JobKind.CANCEL)
    Job.objects.update(filter={"status": "nonsense"})
    row = finish(job)
    assert row.status == JobStatus.FAILED
    assert "nonsense" in row.error


def test_a_message_of_several_jobs_runs_each(account: Account, subscription: Subscription) -> None:
    make_pending(subscription)
    pair = [make_job(account, JobKind.CANCEL) for _ in range(2)]
    run_job_task.run([job.id.hex for job in pair])
    assert [read(job).changed for job in pair] == [1, 0]


def test_a_replay_reads_little_however_many_events_there_are(
    account: Account, subscription: Subscription, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_failed(subscription, 100)
    job = make_job(account, JobKind.REPLAY, FAILED)
    # The transaction's beginning and end, the job's row twice, the search, the lock, who is unsettled, look, insert.
    with django_assert_max_num_queries(9):
        jobs._take_step(job.id)


def test_events_replayed_by_hand_meanwhile_are_left_to_that(account: Account, subscription: Subscription) -> None:
    (failed,) = make_failed(subscription)
    event = models.Event.objects.get(id=read_delivery(failed).event_id)
    replay_event(event, request="by-hand", to=subscription)
    assert finish(make_job(account, JobKind.REPLAY, FAILED)).changed == 0


def test_a_job_for_all_accounts_deals_with_the_deliveries_of_each(subscription: Subscription) -> None:
    other = subscribe(Account.objects.create(name="Bob's mill"), "http://127.0.0.1:9/")
    identifiers = make_pending(subscription) + make_pending(other)
    let_events_grow_old()
    row = finish(create_job(None, kind=JobKind.CANCEL, wanted=EVERYTHING))
    assert (row.status, row.changed) == (JobStatus.DONE, 2)
    assert {read_delivery(identifier).status for identifier in identifiers} == {Status.CANCELLED}


def test_a_job_for_all_accounts_names_a_webhook_by_its_id(subscription: Subscription) -> None:
    Subscription.objects.filter(id=subscription.id).update(uid="mine")
    with pytest.raises(BadFilterError) as caught:
        create_job(None, kind=JobKind.CANCEL, wanted=DeliveryFilter(webhook="mine"))
    assert caught.value.field == "webhook"


def test_a_job_moves_the_expiry_of_what_its_filter_finds(account: Account, subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 2)
    change(identifiers[:1], status=Status.DELIVERED)
    let_events_grow_old()
    expires_at = database_now() + timedelta(hours=7)
    job = create_job(account.id, kind=JobKind.MOVE_EXPIRY, wanted=EVERYTHING, expires_at=expires_at)
    row = finish(job)
    assert (row.status, row.examined, row.changed) == (JobStatus.DONE, 2, 1)
    assert read_delivery(identifiers[1]).expires_at == expires_at
