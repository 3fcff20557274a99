"""What does an administrator's database look like? Two accounts whose webhooks do well, badly, and not at all.

Made through the stages themselves; only the answers of receivers are said here instead of by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from deliveries.cancel import cancel
from deliveries.claim import claim
from deliveries.filters import DeliveryFilter
from deliveries.jobs import create_job, run_job
from deliveries.models import Delivery, JobKind, Status
from deliveries.record import record_landings
from deliveries.tally import fold
from deliveries.transport import FailureKind, NoAnswer, Result, Timings
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.rows import answered, land, make_pending
from webhookhub.api_keys import create_api_key
from webhookhub.event_types import put_event_type
from webhookhub.models import Account, ApiKey, Event

USER, PASSWORD = "ada", "correct horse battery staple"
HOSTILE = b"<script>document.title = 'taken over'</script><h1>out of order</h1>"


def make_scenery() -> dict[str, str]:
    """The rows of every page, and what stands in their addresses."""
    administrator = User.objects.create_superuser(USER, "ada@example.com", PASSWORD)
    shop = Account.objects.create(name="Alice's shop", uid="alice", contact_email="alice@example.com")
    mill = Account.objects.create(name="Bob's mill")
    create_api_key(shop, "the shop's server")
    put_event_type("order.shipped", {"description": "A parcel left the house.", "example": {"n": 1}})
    well = subscribe(shop, "https://shop.example/webhooks/orders", description="the shop's own")
    badly = subscribe(shop, "https://warehouse.example/a/rather/long/path/that/goes/on/and/on/to/the/webhook")
    away = subscribe(mill, "https://mill.example/hooks")
    _deliver(make_pending(well, 8), answered(200, ("content-type", "text/plain"), body=b"thank you", total_ms=31.5))
    failing = make_pending(badly, 5)
    for _ in range(3):
        _deliver(failing[:3], _broken())
    _deliver(failing[3:], _silent())
    held = make_pending(away, 4)
    Delivery.objects.filter(id__in=held[1:]).update(status=Status.HELD)
    Subscription.objects.filter(id=away.id).update(enabled=False)
    cancel([held[0]], reason="wrong prices")
    given_up = {"status": Status.FAILED, "failure_reason": "exhausted", "wake_at": None, "finished_at": Now()}
    Delivery.objects.filter(id=failing[2]).update(**given_up)
    fold()
    job = create_job(shop.id, kind=JobKind.RETRY, wanted=DeliveryFilter(statuses=(Status.PENDING,)), reason="a test")
    run_job(job.id)
    every = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.SECONDS)
    task = PeriodicTask.objects.create(name="sweep", task="deliveries.sweep", interval=every)
    named = {"failing": failing[0], "held": held[1], "well": well.id, "badly": badly.id, "away": away.id}
    others = {
        "event": Event.objects.latest("id").id,
        "key": ApiKey.objects.get().id,
        "shop": shop.id,
        "job": job.id,
        "task": task.pk,
        "administrator": administrator.pk,
    }
    return {name: str(value) for name, value in {**named, **others}.items()}


def _deliver(delivery_ids: Sequence[UUID], result: Result) -> None:
    """Attempt them once, with this result."""
    Delivery.objects.filter(id__in=delivery_ids).update(due_at=Now())
    record_landings([land(one, result) for one in claim(delivery_ids)], rng=Random(1))


def _broken() -> Result:
    headers = (("content-type", "text/html"), ("x-powered-by", "<b>steam</b>"))
    timings = Timings(dns_ms=1.4, connect_ms=9.8, tls_ms=31.2, first_byte_ms=212.0, total_ms=214.6)
    return answered(500, *headers, body=HOSTILE)._replace(timings=timings, peer_address="203.0.113.7")


def _silent() -> Result:
    timings = Timings(dns_ms=0.4, connect_ms=12.1, tls_ms=28.0, total_ms=15_000.0)
    return NoAnswer(kind=FailureKind.TIMEOUT, message="no whole answer within 15 s", timings=timings)
