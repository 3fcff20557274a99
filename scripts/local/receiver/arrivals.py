"""What arrived at the receiver, and what did it answer? A log of the newest, bounded in memory, that can be followed."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from scripts.local.receiver.endpoints import REFUSALS_AT_FIRST, Agreement, EndpointName
from scripts.local.receiver.verification import Verdict, is_authorized, verify_plain, verify_standard

# The page is read by a person: 500 rows are more than anybody scrolls, and with their bodies at most 32 MB.
KEPT_ARRIVALS = 500
KEPT_BODY_BYTES = 65_536
# How many webhook-ids are remembered, so that a repeated one is known: some hundred bytes each.
KEPT_IDS = 20_000

SHOWN_EVENT_TYPE = 200
HIDDEN_HEADERS = frozenset({"authorization"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A POST as it came in."""

    endpoint: EndpointName
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A request, what was thought of it, and what was answered. The field names are those of /received.json."""

    number: int
    """Counted from 1 since the receiver started."""
    received_at: str
    endpoint: EndpointName
    target: str
    event_type: str
    webhook_id: str
    attempt: int
    """The how manyeth request with this webhook-id at this endpoint; the first is 1."""
    standard: Verdict
    plain: Verdict
    authorized: bool
    status: int
    reason: str
    """Why it was answered so."""
    headers: Sequence[tuple[str, str]]
    body: str
    body_bytes: int
    """Of the whole body, of which `body` shows at most the beginning."""

    @property
    def is_verified(self) -> bool:
        """Whether it came from the hub by all that can be told."""
        return self.standard is self.plain is Verdict.VERIFIED and self.authorized


class Arrivals:
    """The newest arrivals. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = count(1)
        self._kept: deque[Arrival] = deque(maxlen=KEPT_ARRIVALS)
        self._attempts: OrderedDict[tuple[EndpointName, str], int] = OrderedDict()

    def receive(self, request: Request, agreement: Agreement, *, now: datetime) -> Arrival:
        """Judge the request, decide on the answer, and keep both."""
        with self._changed:
            arrival = self._judge(request, agreement, now=now)
            self._kept.append(arrival)
            self._changed.notify_all()
        return arrival

    def after(self, number: int) -> list[Arrival]:
        """The kept arrivals that came after this one, oldest first."""
        with self._changed:
            return [arrival for arrival in self._kept if arrival.number > number]

    def wait_after(self, number: int, *, timeout_seconds: float) -> list[Arrival]:
        """As `after`, but where there is none yet it waits for one, for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._kept and self._kept[-1].number > number, timeout_seconds)
        return self.after(number)

    def _judge(self, request: Request, agreement: Agreement, *, now: datetime) -> Arrival:
        secret, headers = agreement.signing_secret, request.headers
        standard = verify_standard(headers, request.body, secret=secret, now=now.timestamp())
        plain = verify_plain(headers, request.body, secret=secret)
        authorized = is_authorized(headers, authorization=agreement.authorization)
        webhook_id = headers.get("webhook-id", "")
        attempt = self._count_attempt(request.endpoint, webhook_id)
        is_genuine = standard is plain is Verdict.VERIFIED and authorized
        status, reason = _choose_answer(request.endpoint, is_genuine=is_genuine, attempt=attempt)
        return Arrival(
            number=next(self._numbers),
            received_at=now.astimezone(UTC).isoformat(timespec="milliseconds"),
            endpoint=request.endpoint,
            target=request.target,
            event_type=read_event_type(request.body),
            webhook_id=webhook_id,
            attempt=attempt,
            standard=standard,
            plain=plain,
            authorized=authorized,
            status=status,
            reason=reason,
            headers=[item for item in headers.items() if item[0] not in HIDDEN_HEADERS],
            body=request.body[:KEPT_BODY_BYTES].decode(errors="replace"),
            body_bytes=len(request.body),
        )

    def _count_attempt(self, endpoint: EndpointName, webhook_id: str) -> int:
        key = (endpoint, webhook_id)
        self._attempts[key] = self._attempts.pop(key, 0) + 1
        if len(self._attempts) > KEPT_IDS:
            self._attempts.popitem(last=False)
        return self._attempts[key]


def read_event_type(body: bytes) -> str:
    """What a body says it is about: its `type`, or for a thin notification what happened to which entity."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    match document:
        case {"type": str(event_type)}:
            return event_type[:SHOWN_EVENT_TYPE]
        case {"events": [{"meta": {"type": str(entity_type)}, "action": str(action)}, *_]}:
            return f"{entity_type} {action}"[:SHOWN_EVENT_TYPE]
        case _:
            return ""


def to_json(arrival: Arrival) -> dict[str, Any]:
    """The arrival as the page and /received.json show it."""
    names = Arrival.__dataclass_fields__
    return {name: getattr(arrival, name) for name in names} | {"verified": arrival.is_verified}


def _choose_answer(endpoint: EndpointName, *, is_genuine: bool, attempt: int) -> tuple[int, str]:
    if not is_genuine:
        return 401, "not accepted: it cannot be told that the hub sent it"
    if attempt <= REFUSALS_AT_FIRST.get(endpoint, 0):
        return 503, "turned away on purpose, to show a retry"
    return 200, "accepted"
