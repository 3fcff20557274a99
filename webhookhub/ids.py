"""How are things named? UUIDv7 inside, shown with a prefix (`evt_0192…`), time-ordered so that tables partition on them."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from webhookhub.errors import BadIdError

# RFC 9562, section 5.7: 48 bits of milliseconds, 4 of version, 12 + 62 free ones with 2 of variant between.
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_LOW_BITS = 62
_LOW_MASK = (1 << _LOW_BITS) - 1

# UUID() itself takes what int() takes: signs, underscores, spaces.
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{32}")

PREFIXES = {
    "event": "evt",
    "delivery": "dlv",
    "attempt": "att",
    "subscription": "sub",
    "account": "acc",
    "key": "key",
    "job": "job",
}


def new_id(now_ns: int | None = None) -> UUID:
    """A UUIDv7 for this moment. The 12 bits after the milliseconds carry their fraction (RFC 9562, 6.2, method 3), so ids of
    one process keep the order in which they were drawn to about a quarter of a microsecond.
    """
    nanoseconds = time.time_ns() if now_ns is None else now_ns
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return UUID(int=(milliseconds << 80) | (fraction << 64) | _VERSION_AND_VARIANT | secrets.randbits(_LOW_BITS))


def delivery_id(event_id: UUID, subscription_id: UUID, trigger: str) -> UUID:
    """The id of the delivery of an event to a subscription, computed so that fan-out run twice inserts nothing twice.

    It keeps the event's moment (millisecond and fraction), so both lie in partitions of the same time, and the deliveries
    of one event lie side by side in the primary key.
    """
    return _derived(event_id, event_id.bytes + subscription_id.bytes + trigger.encode())


def attempt_id(of_delivery: UUID, number: int) -> UUID:
    """The id of a delivery's attempt `number` (first = 1), computed, so that one attempt cannot be recorded twice and a
    delivery's attempts are found by their primary key alone.
    """
    return _derived(of_delivery, of_delivery.bytes + number.to_bytes(4, "big"))


def attempt_ids(of_delivery: UUID, attempt_count: int) -> list[UUID]:
    """The ids of a delivery's attempts 1 to `attempt_count`."""
    return [attempt_id(of_delivery, number) for number in range(1, attempt_count + 1)]


def sibling_bounds(of: UUID) -> tuple[UUID, UUID]:
    """The lowest and highest id derived from `of`: between them lie an event's deliveries, and few others."""
    low = of.int & ~_LOW_MASK
    return UUID(int=low), UUID(int=low | _LOW_MASK)


def first_id_at(moment: datetime) -> UUID:
    """The lowest UUIDv7 of the millisecond of `moment`: where a partition begins."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | _VERSION_AND_VARIANT)


def moment_of(identifier: UUID) -> datetime:
    """The moment (UTC, to the millisecond) that a UUIDv7 carries."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)


def show(kind: str, identifier: UUID) -> str:
    """An id as people and receivers see it: `evt_` and 32 hexadecimal digits, without dots or dashes."""
    return f"{PREFIXES[kind]}_{identifier.hex}"


def read(kind: str, text: str) -> UUID:
    """The id behind `text`: in its shown form, or as a bare UUID. Raises BadIdError."""
    prefix = PREFIXES[kind] + "_"
    digits = text.removeprefix(prefix).replace("-", "")
    if not _HEXADECIMAL.fullmatch(digits):
        raise BadIdError(f"{text[:80]!r} is no {kind} id; it looks like {prefix}0192f0c1… (32 hexadecimal digits)")
    return UUID(digits)


def array_literal(identifiers: Iterable[UUID]) -> str:
    """A PostgreSQL array of UUIDs as one literal: adapting and parsing it costs a tenth of an array of casts."""
    return "{" + ",".join(identifier.hex for identifier in identifiers) + "}"


def _derived(parent: UUID, content: bytes) -> UUID:
    low = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") & _LOW_MASK
    return UUID(int=(parent.int & ~_LOW_MASK) | low)
