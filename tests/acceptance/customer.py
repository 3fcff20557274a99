"""One account with its subscribers at the receiver, and the one question asked after every fault: is the story whole?"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from standardwebhooks import Webhook

from subscriptions.signing_secrets import generate_secret
from tests.acceptance.hub import DEADLINE_SECONDS, Hub
from tests.receivers.recording import ACCEPTED, Answer, Endpoint, RecordingReceiver, Request

FINAL = {"delivered", "failed", "cancelled"}
# The outcome of an attempt whose worker was lost: nobody knows whether it was sent.
LOST = "worker_lost"
_numbers = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriber:
    """One subscription, and where it receives."""

    id: str
    secret: str = field(repr=False)
    endpoint: Endpoint

    @property
    def requests(self) -> list[Request]:
        """What has arrived so far."""
        return self.endpoint.requests

    def verify(self, request: Request) -> None:
        """Raises WebhookVerificationError of a library that is not ours where the signature is wrong."""
        Webhook(self.secret).verify(request.body, request.header)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A delivery's row, with its attempts in their order."""

    id: str
    event: str
    subscriber: str
    status: str
    failure_reason: str
    attempt_count: int
    is_claimed: bool
    attempts: tuple[Attempt, ...]

    @property
    def lost(self) -> int:
        """Attempts of which nobody knows whether they were sent."""
        return sum(attempt.outcome == LOST for attempt in self.attempts)

    @property
    def arrived(self) -> int:
        """Attempts that the receiver must have seen."""
        return sum(attempt.arrived for attempt in self.attempts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An attempt's row."""

    number: int
    outcome: str
    status_code: int | None
    error: str
    started_at: float
    """Seconds since 1970."""
    response_headers: str

    @property
    def arrived(self) -> bool:
        """Whether the receiver must have seen it."""
        return self.status_code is not None or self.outcome in {"timeout", "reset"}


class Customer:
    """An account of a hub, its subscribers at a receiver, and all that it emitted."""

    def __init__(self, hub: Hub, receiver: RecordingReceiver) -> None:
        self.hub = hub
        self.receiver = receiver
        self.id: str = hub.application("make_account", name=f"customer {next(_numbers)}")
        self.subscribers: list[Subscriber] = []
        self.events: list[str] = []

    def subscribe(self, *answers: Answer, **profile: Any) -> Subscriber:
        """Subscribe a new endpoint that answers so, under a profile with these changes to the tests' own."""
        return self._subscribe(self.receiver.endpoint(*answers), profile)

    def subscribe_url(self, url: str, **profile: Any) -> Subscriber:
        """Subscribe a URL at which nobody listens."""
        return self._subscribe(Endpoint(url, (ACCEPTED,)), profile)

    def _subscribe(self, endpoint: Endpoint, profile: dict[str, Any]) -> Subscriber:
        name = f"test-{next(_numbers)}"
        self.hub.application("make_profile", name=name, changes=PROFILE | profile)
        secret = generate_secret(secrets.token_bytes)
        identifier = self.hub.application(
            "make_subscription", account=self.id, url=endpoint.url, secret=secret, profile=name
        )
        subscriber = Subscriber(id=identifier, secret=secret, endpoint=endpoint)
        self.subscribers.append(subscriber)
        return subscriber

    def emit(self, count: int = 1) -> list[str]:
        """Record so many events in one transaction; returns their ids as receivers see them."""
        events: list[str] = self.hub.application("emit", account=self.id, count=count)
        self.events += events
        return events

    def find_events(self) -> None:
        """Learn from the database which events there are: somebody else recorded them."""
        statement = "SELECT 'evt_' || replace(id::text, '-', '') FROM webhookhub_event WHERE account_id = %s"
        self.events = [event for (event,) in self.hub.query(statement, self.id)]

    def emit_from_producers(self, producers: int, messages: int) -> None:
        """So many producers at once, each with a transaction for each of its events."""
        self.events += self.hub.application(
            "emit_from_producers", account=self.id, producers=producers, messages=messages
        )

    def deliveries(self) -> list[Delivery]:
        """All deliveries of the account."""
        rows = self.hub.query(
            """SELECT id::text, 'evt_' || replace(event_id::text, '-', ''), subscription_id::text, status, failure_reason,
                      attempt_count, claimed_at IS NOT NULL
                 FROM webhookhub_delivery WHERE account_id = %s""",
            self.id,
        )
        attempts = self._attempts()
        return [
            Delivery(
                id=identifier,
                event=event,
                subscriber=subscriber,
                status=status,
                failure_reason=failure_reason,
                attempt_count=attempt_count,
                is_claimed=is_claimed,
                attempts=tuple(attempts.get(identifier, ())),
            )
            for identifier, event, subscriber, status, failure_reason, attempt_count, is_claimed in rows
        ]

    def _attempts(self) -> dict[str, list[Attempt]]:
        attempts: dict[str, list[Attempt]] = {}
        for delivery_id, *columns in self.hub.query(
            """SELECT attempt.delivery_id::text, number, outcome, status_code, error,
                      extract(epoch FROM started_at)::float, response_headers
                 FROM webhookhub_delivery_attempt AS attempt
                 JOIN webhookhub_delivery AS delivery ON delivery.id = attempt.delivery_id
                WHERE account_id = %s ORDER BY number""",
            self.id,
        ):
            number, outcome, status_code, error, started, response_headers = columns
            attempts.setdefault(delivery_id, []).append(
                Attempt(
                    number=number,
                    outcome=outcome,
                    status_code=status_code,
                    error=error,
                    started_at=started,
                    response_headers=response_headers,
                )
            )
        return attempts

    def delivery(self) -> Delivery:
        """The account's only delivery."""
        (delivery,) = self.deliveries()
        return delivery

    def wait_until_recorded(self, attempts: int) -> None:
        """Wait until so many attempts are on record."""
        self.hub.wait_until(lambda: self.recorded() >= attempts, f"{attempts} attempts on record")

    def wait_until_settled(self, *, within_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until every event is fanned out, every delivery final, and every attempt on record."""
        expected = len(self.events) * len(self.subscribers)
        self.hub.wait_until(
            lambda: self._settled() == expected,
            f"{expected} deliveries final with all of their attempts",
            within_seconds=within_seconds,
        )

    def _settled(self) -> int:
        ((settled,),) = self.hub.query(
            """SELECT count(*) FROM webhookhub_delivery AS delivery
                WHERE account_id = %s AND status IN ('delivered', 'failed', 'cancelled')
                  AND attempt_count = (SELECT count(*) FROM webhookhub_delivery_attempt WHERE delivery_id = delivery.id)""",
            self.id,
        )
        return int(settled)

    def check_story(self, *, on_wire_at_fault: int = 0) -> None:
        """Nothing was lost, nothing was doubled that did not have to be, and the log says what was on the wire.

        `on_wire_at_fault`: how many attempts were on the wire, or landed and not yet recorded, when a fault came.
        """
        deliveries = self.deliveries()
        pairs = [(delivery.event, delivery.subscriber) for delivery in deliveries]
        assert sorted(pairs) == sorted((event, one.id) for event in self.events for one in self.subscribers)
        seen = self.requests_seen()
        assert seen.keys() <= set(pairs), "requests for nothing that was emitted"
        for delivery in deliveries:
            requests = seen[delivery.event, delivery.subscriber]
            assert delivery.status in FINAL, delivery
            assert [one.number for one in delivery.attempts] == list(range(1, delivery.attempt_count + 1)), delivery
            assert delivery.arrived <= requests <= delivery.arrived + delivery.lost, (requests, delivery)
            assert delivery.status != "delivered" or requests >= 1, delivery
        lost = sum(delivery.lost for delivery in deliveries)
        assert lost <= on_wire_at_fault, f"{lost} attempts lost, where {on_wire_at_fault} were on the wire"
        assert self._accepted_again() <= on_wire_at_fault

    def requests_seen(self) -> Counter[tuple[str, str]]:
        """Requests that arrived, by event and subscriber."""
        return Counter((request.webhook_id, one.id) for one in self.subscribers for request in one.requests)

    def claimed(self) -> int:
        """Attempts that some worker has begun, or is about to, and has not recorded."""
        return sum(delivery.is_claimed for delivery in self.deliveries())

    def recorded(self) -> int:
        """Attempts on record."""
        return sum(len(delivery.attempts) for delivery in self.deliveries())

    def _accepted_again(self) -> int:
        """Requests that came although the subscriber had accepted the event before."""
        accepted = Counter(
            (one.id, request.webhook_id)
            for one in self.subscribers
            for request in one.requests
            if 200 <= one.endpoint.answer_to(request).status < 300
        )
        return accepted.total() - len(accepted)


# A minute's schedule of `standard`, squeezed into seconds. Its deadline lies inside the lease.
PROFILE: dict[str, Any] = {"timeout_seconds": 5, "intervals_seconds": [1, 1], "retry_after_cap_seconds": 5}
