"""What became of one delivery, from the event to this moment? Everything that its page shows, read in a handful of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from django.http import HttpRequest
from django.utils import timezone

from deliveries.admin.acting import act_url
from deliveries.admin.curl import to_curl
from deliveries.admin.deeds import DEEDS
from deliveries.admin.words import describe_outcome, describe_state, describe_trigger
from deliveries.log import read_attempts
from deliveries.models import Delivery, DeliveryAttempt, JobKind, Status
from deliveries.sent import rebuild_request
from deliveries.transport import Request
from subscriptions.endpoints import load_endpoints
from subscriptions.models import Subscription
from webhookhub.models import Account, Event

ATTEMPTS_SHOWN = 50
OUTSTANDING = (Status.PENDING, Status.HELD)
# What can be done to a delivery, by whether it is over.
_DEEDS_OF_OUTSTANDING = (JobKind.CANCEL, JobKind.RETRY, JobKind.MOVE_EXPIRY, JobKind.REPLAY)
_DEEDS_OF_THE_OTHERS = (JobKind.REPLAY,)


class Button(NamedTuple):
    """Something that may be done."""

    title: str
    url: str
    variant: str


class Stretch(NamedTuple):
    """A part of the time that an attempt took, in percent of the whole."""

    name: str
    style: str
    begin: float
    length: float
    milliseconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """An attempt as it is shown."""

    attempt: DeliveryAttempt
    words: str
    stretches: list[Stretch]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A request, and what may be said of it."""

    request: Request
    body: str
    command: str
    when: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """All of it."""

    delivery: Delivery
    event: Event | None
    webhook: Subscription | None
    account: Account | None
    state: str
    trigger: str
    tries: list[Try]
    not_shown: int
    sent: Sent | None
    buttons: list[Button]


def read_story(delivery: Delivery, request: HttpRequest) -> Story:
    """The delivery's story, with the buttons that whoever asks may press."""
    now = timezone.now()
    # What belongs to it may be gone: each row is looked for, and none is joined.
    event = Event.objects.filter(id=delivery.event_id).first()
    webhook = Subscription.objects.filter(id=delivery.subscription_id).first()
    first = max(1, delivery.attempt_count - ATTEMPTS_SHOWN + 1)
    attempts = read_attempts(delivery.id, range(first, delivery.attempt_count + 1))
    return Story(
        delivery=delivery,
        event=event,
        webhook=webhook,
        account=Account.objects.filter(id=delivery.account_id).first(),
        state=describe_state(delivery, now=now),
        trigger=describe_trigger(delivery.trigger),
        tries=[
            Try(attempt=one, words=describe_outcome(one.outcome), stretches=cut_time(one)) for one in reversed(attempts)
        ],
        not_shown=first - 1,
        sent=_rebuild(delivery, event, webhook, attempts, now),
        buttons=_buttons(delivery, request),
    )


def cut_time(attempt: DeliveryAttempt) -> list[Stretch]:
    """What the time of an attempt was spent on, in order. Pure."""
    total = attempt.total_ms or 0.0
    if total <= 0:
        return []
    setup = [("DNS", "dns", attempt.dns_ms), ("connect", "connect", attempt.connect_ms), ("TLS", "tls", attempt.tls_ms)]
    ends = [0.0]
    for _, _, length in setup:
        ends.append(min(ends[-1] + (length or 0.0), total))
    ends += [max(ends[-1], min(attempt.first_byte_ms or total, total)), total]
    names = [*((name, style) for name, style, _ in setup), ("first byte", "waiting"), ("rest", "body")]
    return [
        Stretch(name, f"hub-{style}", 100 * begin / total, 100 * (end - begin) / total, end - begin)
        for (name, style), (begin, end) in zip(names, pairwise(ends), strict=True)
        if end > begin
    ]


def _rebuild(
    delivery: Delivery,
    event: Event | None,
    webhook: Subscription | None,
    attempts: Sequence[DeliveryAttempt],
    now: datetime,
) -> Sent | None:
    """The last request, or the first one as it would be sent now; None where there is nothing or nobody left."""
    if event is None or not event.data or webhook is None:
        return None
    attempt = attempts[-1] if attempts else DeliveryAttempt(number=1, started_at=now)
    endpoint = load_endpoints({webhook.id: webhook.version}).get(webhook.id)
    if endpoint is None or not endpoint.live_secrets(attempt.started_at):
        return None
    request = rebuild_request(event, delivery, attempt, endpoint)
    return Sent(
        request=request,
        body=request.body.decode(errors="replace"),
        command=to_curl(request),
        when=f"Attempt {attempt.number}" if attempts else "As it would be sent now",
    )


def _buttons(delivery: Delivery, request: HttpRequest) -> list[Button]:
    kinds = _DEEDS_OF_OUTSTANDING if delivery.status in OUTSTANDING else _DEEDS_OF_THE_OTHERS
    deeds = [DEEDS[kind] for kind in kinds if request.user.has_perm(DEEDS[kind].permission)]
    return [
        Button(deed.title, act_url(deed.kind, [delivery.id]), "danger" if deed.kind is JobKind.CANCEL else "default")
        for deed in deeds
    ]
