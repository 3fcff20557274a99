"""What can a program do with a hub over HTTP? Publish, subscribe, look, and do again what failed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self, cast, overload

from .connection import Connection
from .documents import Delivery, DeliveryWithAttempts, Event, NewWebhook, Trial, Webhook
from .parameters import segment, to_fields
from .publishing import AcceptedEvent, NewEvent, RefusedEvent, read_result

# The hub waits for the receiver: up to a minute for its answer, and for a worker.
TRIAL_TIMEOUT_SECONDS = 90.0
_REPLAYED = "Idempotent-Replayed"


class Client:
    """`Client("https://hub.example.com", "whk_…")`: one for each thread. All methods raise ClientError; data that
    JSON has no form for, and moments without a zone, are a TypeError or ValueError before anything is sent.

    `account` is for operators: whom all of it is about, as `acc_…` or the account's uid. A request that is safe to repeat
    is sent up to `attempts` times, where nobody answers or the hub asks for it; `timeout_seconds` is for connecting, and
    for each wait for what comes next of an answer.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        account: str | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 3,
        backoff_seconds: float = 0.5,
    ) -> None:
        self._account = account
        self._connection = Connection(
            base_url, key, timeout_seconds=timeout_seconds, attempts=attempts, backoff_seconds=backoff_seconds
        )

    def __repr__(self) -> str:
        return f"Client({self._connection.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections that are kept open."""
        self._connection.close()

    # ------------------------------------------------------------------------------------------------ events

    def publish(
        self,
        type: str,
        data: Any,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
        entity_type: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        correlation_id: str | None = None,
        account: str | None = None,
    ) -> AcceptedEvent:
        """Record an event; once this returns, it is committed. `id`, or `idempotency_key`, is your own name for it: named
        again with the same content it is the same event. Without one, a key is made, so that no repetition here doubles it.
        """
        event = NewEvent(
            type=type,
            data=data,
            id=id,
            entity_type=entity_type,
            action=action,
            subject=subject,
            correlation_id=correlation_id,
        )
        key = idempotency_key if idempotency_key is not None or id is not None else _new_key()
        answer = self._connection.call(
            "POST",
            "events",
            query=self._whose(account),
            body=event.to_document(),
            headers=_idempotent(key),
            can_repeat=True,
        )
        return AcceptedEvent.from_document(answer.document, is_replayed=_REPLAYED in answer.headers)

    @overload
    def publish_batch(
        self,
        events: Iterable[NewEvent | Mapping[str, Any]],
        *,
        partial: Literal[False] = False,
        idempotency_key: str | None = None,
        account: str | None = None,
    ) -> list[AcceptedEvent]: ...

    @overload
    def publish_batch(
        self,
        events: Iterable[NewEvent | Mapping[str, Any]],
        *,
        partial: Literal[True],
        idempotency_key: str | None = None,
        account: str | None = None,
    ) -> list[AcceptedEvent | RefusedEvent]: ...

    def publish_batch(
        self,
        events: Iterable[NewEvent | Mapping[str, Any]],
        *,
        partial: bool = False,
        idempotency_key: str | None = None,
        account: str | None = None,
    ) -> Any:
        """Record up to 1,000 events, all or none; with `partial` those that can be, and what became of each comes back.

        An event is a NewEvent, or a mapping as the API takes it.
        """
        answer = self._connection.call(
            "POST",
            "events/batch",
            query=self._whose(account) | ({"partial": True} if partial else {}),
            body={"events": [one.to_document() if isinstance(one, NewEvent) else dict(one) for one in events]},
            headers=_idempotent(idempotency_key if idempotency_key is not None else _new_key()),
            can_repeat=True,
        )
        is_replayed = _REPLAYED in answer.headers
        if partial:
            return [read_result(one, is_replayed=is_replayed) for one in answer.document["results"]]
        return [AcceptedEvent.from_document(one, is_replayed=is_replayed) for one in answer.document["events"]]

    def events(self, **filters: Any) -> Iterator[Event]:
        """All events, the newest first: of `type`, `correlation_id`, `entity_type`, `action`, `since`, `until`, …"""
        return cast("Iterator[Event]", self._pages("events", filters))

    def get_event(self, event: str) -> Event:
        """One event (`evt_…`)."""
        return cast("Event", self._get(f"events/{segment(event)}"))

    def replay_event(
        self, event: str, *, webhook: str | None = None, idempotency_key: str | None = None
    ) -> list[Delivery]:
        """Send an event once more: to all webhooks that want it now, or to the one that is named."""
        body = {} if webhook is None else {"webhook": webhook}
        return cast("list[Delivery]", self._replay(f"events/{segment(event)}/replay", body, idempotency_key)["items"])

    # ------------------------------------------------------------------------------------------------ webhooks

    def subscribe(
        self,
        url: str,
        *,
        events: Iterable[str] | None = None,
        entity_type: str | None = None,
        action: str | None = None,
        secret: str | None = None,
        account: str | None = None,
        **terms: Any,
    ) -> NewWebhook:
        """Tell `url` of events of these types (`order.*`), or of what is done to an entity, or of all.

        `terms` are the API's other fields: `uid`, `profile`, `filter`, `headers`, `rate_limit_per_second`, … A second call
        makes a second webhook, unless a uid or a pair of entity type and action is in its way (Conflict).
        """
        given = {"entity_type": entity_type, "action": action, "secret": secret, **terms}
        fields = {"url": url} | to_fields({name: value for name, value in given.items() if value is not None})
        if events is not None:
            fields["events"] = list(events)
        return cast(
            "NewWebhook", self._connection.call("POST", "webhooks", query=self._whose(account), body=fields).document
        )

    def webhooks(self, **filters: Any) -> Iterator[Webhook]:
        """All webhooks, the newest first: that are `enabled`, want an `event_type`, follow a `profile`, …"""
        return cast("Iterator[Webhook]", self._pages("webhooks", filters))

    def get_webhook(self, webhook: str) -> Webhook:
        """One webhook, by its id (`sub_…`) or your own (`uid`)."""
        return cast("Webhook", self._get(f"webhooks/{segment(webhook)}"))

    def change_webhook(self, webhook: str, **terms: Any) -> Webhook:
        """Agree on something else: what is not named stays, and None is the default of a new webhook."""
        route = f"webhooks/{segment(webhook)}"
        return cast(
            "Webhook", self._connection.call("PATCH", route, query=self._whose(), body=to_fields(terms)).document
        )

    def delete_webhook(self, webhook: str) -> None:
        """Stop telling it for good."""
        self._connection.call("DELETE", f"webhooks/{segment(webhook)}", query=self._whose())

    def test_webhook(self, webhook: str, *, event_type: str | None = None, data: Any = None) -> Trial:
        """Send a test event, and wait for what comes of it; without `data`, the example of the event type."""
        given = {"event_type": event_type, "data": data}
        answer = self._connection.call(
            "POST",
            f"webhooks/{segment(webhook)}/test",
            query=self._whose(),
            body=to_fields({name: value for name, value in given.items() if value is not None}),
            timeout_seconds=TRIAL_TIMEOUT_SECONDS,
        )
        return cast("Trial", answer.document)

    # ------------------------------------------------------------------------------------------------ deliveries

    def deliveries(self, **filters: Any) -> Iterator[Delivery]:
        """All deliveries, the newest first: of a `status`, `webhook`, `event_type`, `status_code_class`, `since`, `until`, …"""
        return cast("Iterator[Delivery]", self._pages("deliveries", filters))

    def get_delivery(self, delivery: str) -> DeliveryWithAttempts:
        """One delivery (`dlv_…`) with its last attempts."""
        return cast("DeliveryWithAttempts", self._get(f"deliveries/{segment(delivery)}"))

    def cancel_delivery(self, delivery: str, *, reason: str | None = None) -> Delivery:
        """Begin no further attempt. Conflict: it is over."""
        return self._act(delivery, "cancel", {} if reason is None else {"reason": reason})

    def retry_delivery(self, delivery: str) -> Delivery:
        """Have the next attempt now. Conflict: it is over, or on the wire."""
        return self._act(delivery, "retry", {})

    def replay_delivery(self, delivery: str, *, idempotency_key: str | None = None) -> Delivery:
        """Send the same event to the same webhook once more, as a new delivery."""
        return cast("Delivery", self._replay(f"deliveries/{segment(delivery)}/replay", {}, idempotency_key))

    # ------------------------------------------------------------------------------------------------ all of them

    def _whose(self, account: str | None = None) -> dict[str, Any]:
        return {"account": self._account if account is None else account}

    def _get(self, route: str) -> Any:
        return self._connection.call("GET", route, query=self._whose(), can_repeat=True).document

    def _pages(self, route: str, filters: Mapping[str, Any]) -> Iterator[Any]:
        """Page after page: one may be empty that others follow."""
        query = self._whose() | dict(filters)
        while True:
            page = self._connection.call("GET", route, query=query, can_repeat=True).document
            yield from page["items"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _act(self, delivery: str, action: str, body: Mapping[str, Any]) -> Delivery:
        route = f"deliveries/{segment(delivery)}/{action}"
        return cast("Delivery", self._connection.call("POST", route, query=self._whose(), body=dict(body)).document)

    def _replay(self, route: str, body: Mapping[str, Any], idempotency_key: str | None) -> Any:
        """A key makes one replay of however many requests."""
        key = idempotency_key if idempotency_key is not None else _new_key()
        answer = self._connection.call(
            "POST", route, query=self._whose(), body=dict(body), headers=_idempotent(key), can_repeat=True
        )
        return answer.document


def _new_key() -> str:
    return str(uuid.uuid4())


def _idempotent(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}
