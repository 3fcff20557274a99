"""What became of the demo's deliveries? The database tells each attempt, the receiver whether it found it genuine."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from deliveries.fan_out import TRIGGER
from deliveries.models import Delivery, DeliveryAttempt, Status
from scripts.local.receiver.endpoints import EndpointName
from scripts.local.receiver.verification import Verdict
from webhookhub import ids

RECEIVER_TIMEOUT_SECONDS = 5.0

Received = dict[tuple[EndpointName, str], list[dict[str, Any]]]
"""What the receiver got, by endpoint and webhook-id, oldest first; the rows are those of /received.json."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """One event that one endpoint should get."""

    event_id: UUID
    event_type: str
    endpoint: EndpointName
    subscription_id: UUID
    url: str

    @property
    def delivery_id(self) -> UUID:
        """Known before fan-out has made the delivery."""
        return ids.delivery_id(self.event_id, self.subscription_id, TRIGGER)

    @property
    def webhook_id(self) -> str:
        """As the receiver knows the event."""
        return ids.show("event", self.event_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where one expected delivery stands."""

    expected: Expected
    delivery: Delivery | None
    """None until the event was fanned out."""
    attempts: Sequence[DeliveryAttempt]
    arrivals: Sequence[dict[str, Any]]
    """What the receiver says of each, oldest first."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen."""
        return self.delivery is not None and self.delivery.status in {
            Status.DELIVERED,
            Status.FAILED,
            Status.CANCELLED,
        }

    @property
    def waits_until(self) -> datetime | None:
        """The moment of the next attempt; None where there is none, or a worker has the delivery in hands."""
        delivery = self.delivery
        if delivery is None or delivery.status != Status.PENDING or delivery.claimed_at is not None:
            return None
        return delivery.due_at

    def may_change_within(self, wait: timedelta) -> bool:
        """Whether an attempt may still come, and comes within `wait`."""
        if self.waits_until is not None:
            return self.waits_until <= timezone.now() + wait
        return self.delivery is None or self.delivery.status == Status.PENDING

    @property
    def problem(self) -> str:
        """Why this is not delivered and verified, in words; empty where it is."""
        match self.delivery:
            case None:
                return "it was not fanned out; is the worker for fan-out running?"
            case Delivery(status=Status.DELIVERED):
                return _problem_at_receiver(self.arrivals)
            case Delivery(status=Status.PENDING):
                return self._reason_for_pending()
            case Delivery(status=status, failure_reason=reason):
                return f"the delivery is {status}{f' ({reason})' if reason else ''}{self._last_result()}"

    def _reason_for_pending(self) -> str:
        if not self.attempts:
            return "no attempt was made; is the worker for deliveries running?"
        assert self.delivery is not None
        moment = self.delivery.due_at.astimezone()
        return f"the next attempt comes too late for the demo, at {moment:%H:%M:%S}{self._last_result()}"

    def _last_result(self) -> str:
        if not self.attempts:
            return ""
        last = self.attempts[-1]
        result = describe_verification(self.arrivals, last.number) or last.error
        return f"; attempt {last.number}: {' '.join([str(last.status_code or last.outcome), result]).strip()}"


def look(expected: Iterable[Expected], *, receiver_url: str) -> list[Standing]:
    """Where each stands, by the database and by the receiver."""
    wanted = {one.delivery_id: one for one in expected}
    deliveries = {delivery.id: delivery for delivery in Delivery.objects.filter(id__in=wanted)}
    attempts: defaultdict[UUID, list[DeliveryAttempt]] = defaultdict(list)
    attempt_ids = [
        identifier
        for delivery in deliveries.values()
        # The attempt of a claim that stands is not recorded yet, or was after the deliveries were read.
        for identifier in ids.attempt_ids(delivery.id, delivery.attempt_count - (delivery.claimed_at is not None))
    ]
    for attempt in DeliveryAttempt.objects.filter(id__in=attempt_ids).order_by("number"):
        attempts[attempt.delivery_id].append(attempt)
    # Asked last: what the database calls delivered is then surely among it.
    received = ask_receiver(receiver_url)
    return [
        Standing(
            expected=one,
            delivery=deliveries.get(delivery_id),
            attempts=attempts[delivery_id],
            arrivals=received.get((one.endpoint, one.webhook_id), ()),
        )
        for delivery_id, one in wanted.items()
    ]


def ask_receiver(receiver_url: str) -> Received:
    """What the receiver got. Nothing, where it does not answer: then the attempts say so themselves."""
    # The user's proxy settings are no business of a loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    received: Received = defaultdict(list)
    try:
        with opener.open(f"{receiver_url}/received.json", timeout=RECEIVER_TIMEOUT_SECONDS) as answer:
            for arrival in json.load(answer):
                received[EndpointName(arrival["endpoint"]), arrival["webhook_id"]].append(arrival)
    except (OSError, http.client.HTTPException):
        return {}
    return received


def describe_verification(arrivals: Sequence[dict[str, Any]], attempt_number: int) -> str:
    """What the receiver says of the request of this attempt (first = 1); empty where it got none."""
    for arrival in arrivals:
        if arrival["attempt"] == attempt_number:
            return "signature verified" if arrival["verified"] else f"not accepted as genuine: {_doubts(arrival)}"
    return ""


def _problem_at_receiver(arrivals: Sequence[dict[str, Any]]) -> str:
    accepted = [arrival for arrival in arrivals if arrival["status"] < http.HTTPStatus.MULTIPLE_CHOICES]
    if not accepted:
        return "the hub says it is delivered, but the receiver has not accepted it"
    return "" if accepted[-1]["verified"] else f"the receiver does not take it for genuine: {_doubts(accepted[-1])}"


def _doubts(arrival: dict[str, Any]) -> str:
    checks = {"webhook-signature": arrival["standard"], "X-Webhook-Signature": arrival["plain"]}
    doubts = [f"{verdict} in {header}" for header, verdict in checks.items() if verdict != Verdict.VERIFIED]
    if not arrival["authorized"]:
        doubts.append("wrong credentials in Authorization")
    return ", ".join(doubts)
