"""What does a request want to publish? Its body, checked and turned into rows, before anybody waits for a database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from webhookhub.api.problems import Problem, invalid, to_problem
from webhookhub.ecmascript import NotJsonError, parse
from webhookhub.errors import BadEventError
from webhookhub.event_rows import EventRow, NewEvent, to_row

BATCH_MAX_EVENTS = 1000
LONGEST_KEY = 256
KEY_HEADER = "Idempotency-Key"

# What an event has in the API, and the argument of NewEvent that it is.
_FIELDS = {
    "type": "type",
    "data": "data",
    "entityType": "entity_type",
    "action": "action",
    "subject": "subject",
    "correlationId": "correlation_id",
}
_REQUIRED = ("type", "data")
_ALLOWED = frozenset({*_FIELDS, "id"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One event of a publication."""

    event: NewEvent
    row: EventRow
    key: str | None
    """Under which it is recorded once: the same key and content again is the same event."""
    path: str = ""
    """Where it stands in the request: `events[1]`; empty where it is all of it."""
    key_is_header: bool = False
    """Whether the key came as the header Idempotency-Key, and not as the event's `id`."""

    @property
    def key_field(self) -> str:
        """Where its key stands in the request."""
        return KEY_HEADER if self.key_is_header else _join(self.path, "id")

    @property
    def fingerprint(self) -> bytes:
        """Tells other content under the same key."""
        return _digest(self.row[2:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """What one request wants to record."""

    account_id: UUID
    items: tuple[Item | Problem, ...]
    """Problems only where `is_partial`: those items are left out, the others recorded."""
    is_batch: bool = False
    is_partial: bool = False
    key: str | None = None
    """Of a batch as a whole."""

    @property
    def good_items(self) -> list[Item]:
        """The items that can be recorded."""
        return [item for item in self.items if isinstance(item, Item)]

    @property
    def fingerprint(self) -> bytes:
        """Tells another batch under the same key. What was refused has its place, too: results are told by position."""
        contents = [item.row[2:] if isinstance(item, Item) else None for item in self.items]
        return _digest([self.is_partial, *contents])


def read_event(body: bytes, *, account_id: UUID, key: str | None, data_max_bytes: int) -> Publication:
    """The publication of one event: `{type, data, …}`; `key` is the Idempotency-Key header. Raises Problem."""
    item = _read_item(_read_json(body), path="", data_max_bytes=data_max_bytes)
    if key is not None and item.key is not None and key != item.key:
        raise invalid("id", "differs from the Idempotency-Key header; one of the two is enough")
    if key is not None:
        # The same namespace for both, so that a program may change from one to the other.
        item = Item(event=item.event, row=item.row, key=check_key(key), key_is_header=True)
    return Publication(account_id=account_id, items=(item,))


def read_batch(body: bytes, *, account_id: UUID, key: str | None, is_partial: bool, data_max_bytes: int) -> Publication:
    """The publication of many: `{"events": [{type, data, …}, …]}`, up to BATCH_MAX_EVENTS. Raises Problem."""
    document = _read_json(body)
    if not isinstance(document, dict) or not isinstance(document.get("events"), list):
        raise invalid("events", 'has to be a list of events: {"events": [{"type": …, "data": …}]}')
    if unknown := [name for name in document if name != "events"]:
        raise invalid(unknown[0][:60], "is no field here; there is events")
    listed = document["events"]
    if not 1 <= len(listed) <= BATCH_MAX_EVENTS:
        raise invalid("events", f"has {len(listed):,} events; a batch takes from 1 to {BATCH_MAX_EVENTS:,}")
    items: list[Item | Problem] = []
    for number, value in enumerate(listed):
        try:
            items.append(_read_item(value, path=f"events[{number}]", data_max_bytes=data_max_bytes))
        except Problem as problem:
            if not is_partial:
                raise
            items.append(problem)
    return Publication(
        account_id=account_id, items=tuple(items), is_batch=True, is_partial=is_partial, key=check_key(key)
    )


def check_key(key: str | None) -> str | None:
    """The idempotency key as it is kept. Raises Problem."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise invalid(KEY_HEADER, f"is 1 to {LONGEST_KEY} printable ASCII characters")
    return key


def _read_json(body: bytes) -> Any:
    try:
        return parse(body)
    except NotJsonError as error:
        raise Problem(400, "parse_error", f"The body is not JSON: {error.reason}") from None


def _read_item(value: Any, *, path: str, data_max_bytes: int) -> Item:
    if not isinstance(value, dict):
        raise invalid(path or "body", "has to be a JSON object with type and data")
    if not _ALLOWED.issuperset(value):
        unknown = next(name for name in value if name not in _ALLOWED)
        raise invalid(_join(path, unknown[:60]), f"is no field here; there are {', '.join(sorted(_ALLOWED))}")
    for name in _REQUIRED:
        if name not in value:
            raise invalid(_join(path, name), "is missing")
    event = NewEvent(**{_FIELDS[name]: _labelled(name, given, path) for name, given in value.items() if name != "id"})
    try:
        row = to_row(event, data_max_bytes)
    except BadEventError as error:
        raise locate(error, path) from None
    return Item(event=event, row=row, key=_own_id(value, path), path=path)


def _labelled(name: str, given: Any, path: str) -> Any:
    """A label that is null counts as absent; data may be anything."""
    if name == "data" or isinstance(given, str):
        return given
    if given is None and name not in _REQUIRED:
        return ""
    raise invalid(_join(path, name), "has to be a text")


def _own_id(value: Mapping[str, Any], path: str) -> str | None:
    own = value.get("id")
    if own is None:
        return None
    if not isinstance(own, str) or not (0 < len(own) <= LONGEST_KEY and own.isascii() and own.isprintable()):
        raise invalid(_join(path, "id"), f"is 1 to {LONGEST_KEY} printable ASCII characters")
    return own


def locate(error: BadEventError, path: str) -> Problem:
    """The refusal of an event, with its place in the request."""
    problem = to_problem(error)
    assert problem is not None
    if not path:
        return problem
    errors = [type(one)(field=_join(path, one.field), message=one.message) for one in problem.errors]
    return Problem(problem.status, problem.code, f"{path}: {error}", errors=errors)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _digest(content: Sequence[Any]) -> bytes:
    return hashlib.blake2b(orjson.dumps(content), digest_size=16).digest()
