"""How is one thing done to many deliveries? A worker goes through them in steps; what a step did and how far it came is one commit.

A worker that dies leaves its step undone. The sweep finds the job, and another goes on from there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from deliveries.cancel import cancel
from deliveries.filters import DeliveryFilter
from deliveries.models import TEST_TRIGGER, Job, JobKind, JobStatus
from deliveries.move_expiry import move_expiry
from deliveries.replay import replay, trigger_of
from deliveries.retry_now import retry_now
from deliveries.search import find_deliveries
from subscriptions.models import Subscription
from webhookhub import doorbell, ids
from webhookhub.conf import hub_settings
from webhookhub.errors import BadFilterError
from webhookhub.ids import array_literal, sibling_bounds
from webhookhub.moments import iso_moment

logger = logging.getLogger("webhookhub.jobs")

RUN_JOB_TASK = "deliveries.run_job"
# What a step does in some 50 ms: rows are locked no longer than that, and progress shows.
ROWS_A_STEP = 500
# After this a job goes to the end of the queue: fan-out shares its workers, and waits no longer than that for one.
BUDGET_SECONDS = 0.5
STOPPED = "stopped on request"

_UNFINISHED = (JobStatus.WAITING, JobStatus.RUNNING)


def create_job(
    account_id: UUID | None,
    *,
    kind: JobKind,
    wanted: DeliveryFilter,
    reason: str = "",
    expires_at: datetime | None = None,
) -> Job:
    """Have this done to the deliveries of the account, or of all (None), that the filter finds and that there are now.

    `reason` is what cancelled deliveries show, their first 32 characters; `expires_at` goes with MOVE_EXPIRY. Raises
    BadFilterError.
    """
    oldest = timezone.now() - timedelta(days=hub_settings().retention_days)
    if wanted.since is not None and wanted.since < oldest:
        raise BadFilterError("since", f"is past the retention: deliveries are kept from {iso_moment(oldest)} on")
    if kind is JobKind.REPLAY and not wanted.statuses:
        raise BadFilterError("status", "is missing; a replay says which deliveries, such as failed")
    stored = _with_webhook_id(wanted, account_id).to_json()
    job = Job.objects.create(
        account_id=account_id,
        kind=kind,
        filter=stored,
        reason=reason,
        expires_at=expires_at,
        wake_at=_look_again_at(),
    )
    doorbell.ring_on_commit(RUN_JOB_TASK, [job.id], queue=doorbell.MAINTENANCE)
    logger.info("job created", extra={"job": str(job.id), "kind": str(kind)})
    return job


def _with_webhook_id(wanted: DeliveryFilter, account_id: UUID | None) -> DeliveryFilter:
    """The filter with the webhook's id: a `uid` may be another webhook's before the job is over. Raises BadFilterError."""
    if wanted.webhook is None or wanted.webhook.startswith(ids.PREFIXES["subscription"] + "_"):
        return wanted
    if account_id is None:
        raise BadFilterError("webhook", "is named by its id where deliveries of all accounts are meant: sub_…")
    webhook = Subscription.objects.filter(account_id=account_id, uid=wanted.webhook).first()
    if webhook is None:
        raise BadFilterError("webhook", "is no webhook's uid; one that was deleted is named by its id: sub_…")
    return replace(wanted, webhook=webhook.shown_id)


def run_job(job_id: UUID) -> None:
    """Take steps until the job is over, or its time on this worker is: then it is rung again."""
    end = time.monotonic() + BUDGET_SECONDS
    try:
        while _take_step(job_id):
            if time.monotonic() > end:
                doorbell.ring(RUN_JOB_TASK, [job_id], queue=doorbell.MAINTENANCE)
                return
    except BadFilterError as error:
        # The version of the hub that created the job could read its filter.
        _fail(job_id, str(error))


def stop_job(job_id: UUID) -> bool:
    """Take no further step; what was done stays done. Whether there was anything to stop."""
    return _fail(job_id, STOPPED)


def _fail(job_id: UUID, error: str) -> bool:
    failed = {"status": JobStatus.FAILED, "error": error[:500], "wake_at": None, "finished_at": Now()}
    return bool(Job.objects.filter(id=job_id, status__in=_UNFINISHED).update(**failed))


def ring_for_overdue_jobs() -> int:
    """Ring again for jobs whose message or worker was lost. How many there were."""
    with connection.cursor() as cursor:
        cursor.execute(_WAKE_JOBS, {"look_again_seconds": hub_settings().look_again_seconds})
        overdue = [identifier for (identifier,) in cursor.fetchall()]
    doorbell.ring(RUN_JOB_TASK, overdue, queue=doorbell.MAINTENANCE)
    return len(overdue)


def _take_step(job_id: UUID) -> bool:
    """Deal with the deliveries that come next, and note it, in one transaction. Whether there is more to do."""
    with transaction.atomic():
        # Whoever finds the row locked leaves the job to the other, who takes the steps one after the other.
        unfinished = Job.objects.select_for_update(skip_locked=True).filter(status__in=_UNFINISHED)
        if (job := unfinished.filter(id=job_id).first()) is None:
            return False
        # What was recorded after the job was created is none of its business, nor are the replays that it makes.
        wanted = DeliveryFilter.from_parameters(job.filter)
        wanted = replace(wanted, until=min(filter(None, (wanted.until, job.created_at))))
        found = find_deliveries(wanted, account_id=job.account_id, after=job.position, limit=ROWS_A_STEP)
        changed = _do(job, found.ids)
        is_over = found.stopped_at is None
        Job.objects.filter(id=job_id).update(
            status=JobStatus.DONE if is_over else JobStatus.RUNNING,
            position=found.stopped_at or (found.ids[-1] if found.ids else job.position),
            examined=F("examined") + len(found.ids),
            changed=F("changed") + changed,
            started_at=Coalesce("started_at", Now()),
            finished_at=Now() if is_over else None,
            wake_at=None if is_over else _look_again_at(),
        )
    logger.info("job step", extra={"job": str(job_id), "examined": len(found.ids), "changed": changed, "over": is_over})
    return not is_over


def _do(job: Job, delivery_ids: Sequence[UUID]) -> int:
    """Do the job's thing to these deliveries. To how many it could be done."""
    match JobKind(job.kind):
        case JobKind.CANCEL:
            return len(cancel(delivery_ids, reason=job.reason or "cancelled"))
        case JobKind.RETRY:
            return len(retry_now(delivery_ids).due)
        case JobKind.REPLAY:
            return len(replay(_find_unsettled(job, delivery_ids), request=job.id.hex).new)
        case JobKind.MOVE_EXPIRY:
            assert job.expires_at is not None
            return len(move_expiry(delivery_ids, expires_at=job.expires_at))
        case kind:
            assert_never(kind)


def _find_unsettled(job: Job, delivery_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the deliveries that are over, and that no other delivery makes good: of the same event to the same webhook.

    So two jobs for the same failures, or one after the other, replay each once. Tests are never replayed by a job.
    """
    if not delivery_ids:
        return []
    low, high = zip(*(sibling_bounds(identifier) for identifier in delivery_ids), strict=True)
    parameters: dict[str, Any] = {
        "ids": array_literal(delivery_ids),
        "low": array_literal(low),
        "high": array_literal(high),
        "passed_over": [TEST_TRIGGER, trigger_of(job.id.hex)],
    }
    with connection.cursor() as cursor:
        # Two jobs that come by at once go one after the other: the second one sees what the first one made.
        cursor.execute(_LOCK, parameters)
        cursor.execute(_FIND_UNSETTLED, parameters)
        return [identifier for (identifier,) in cursor.fetchall()]


def _look_again_at() -> CombinedExpression:
    """When the sweep rings again, on the database's clock, unless a step comes before."""
    return Now() + Value(timedelta(seconds=hub_settings().look_again_seconds))


_LOCK = "SELECT id FROM webhookhub_delivery WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE"
# With its LIMIT the second half stays a look into an index for each row: PostgreSQL would turn NOT EXISTS into one walk
# through all deliveries.
_FIND_UNSETTLED = """
    SELECT delivery.id
      FROM unnest(%(ids)s::uuid[], %(low)s::uuid[], %(high)s::uuid[]) AS wanted (id, low, high)
      JOIN webhookhub_delivery AS delivery ON delivery.id = wanted.id
      LEFT JOIN LATERAL (
           SELECT other.id FROM webhookhub_delivery AS other
            WHERE other.subscription_id = delivery.subscription_id
              AND other.id BETWEEN wanted.low AND wanted.high
              AND other.event_id = delivery.event_id
              AND other.id <> delivery.id
              AND (other.status IN ('pending', 'held') OR other.status = 'delivered' AND delivery.status <> 'delivered')
            LIMIT 1) AS made_good ON true
     WHERE delivery.status NOT IN ('pending', 'held')
       AND delivery.trigger <> ALL(%(passed_over)s)
       AND made_good.id IS NULL
"""
_WAKE_JOBS = """
    UPDATE webhookhub_job
       SET wake_at = now() + %(look_again_seconds)s * interval '1 second'
     WHERE id IN (SELECT id FROM webhookhub_job WHERE wake_at <= now()
                   ORDER BY wake_at LIMIT 100 FOR UPDATE SKIP LOCKED)
 RETURNING id
"""
