"""What is agreed on for one subscription? All that whoever subscribes may say, as one value that was checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from subscriptions.auth import NO_AUTH, Auth, check_auth, header_name, kind_of, seal, unseal
from subscriptions.builtin_profiles import DEFAULT_PROFILE
from subscriptions.custom_headers import CustomHeader, check_headers, seal_headers, unseal_headers
from subscriptions.destinations import read_url
from subscriptions.errors import EntityError, HeaderError, LimitError, PatternError
from subscriptions.matching import ALL_TYPES
from subscriptions.models import Subscription
from subscriptions.payload_filter import parse_filter
from webhookhub.catalogue import unknown_types
from webhookhub.conf import hub_settings
from webhookhub.uids import check_uid

MOST_PATTERNS = 100
# Far more than one endpoint is sent; beyond it is a slip.
HIGHEST_RATE_PER_SECOND = 100_000
HIGHEST_CONCURRENCY = 10_000

_PATTERN = re.compile(r"\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")
# As events have them: `webhookhub.event_rows`.
_LABEL = re.compile(r"[A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """A subscription as it is wanted. Fields that are left out have the defaults of a new one."""

    url: str
    uid: str | None = None
    """The caller's own id for it; no other subscription of the account has it."""
    description: str = ""
    event_types: Sequence[str] = ()
    """Patterns. Empty means all types; beside an entity type, none."""
    entity_type: str = ""
    action: str = ""
    """With `entity_type`, another way to say what is wanted; empty: whatever is done to it."""
    payload_filter: Any = None
    """As `parse_filter` reads it; None: any data."""
    enabled: bool = True
    paused_at: datetime | None = None
    """Since when its deliveries are held. Other than a disabled one, it still gets new ones."""
    profile: str = DEFAULT_PROFILE.name
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """By the names and in the forms of a profile's row: see `subscriptions.overrides`."""
    headers: Sequence[CustomHeader] = ()
    auth: Auth = NO_AUTH
    rate_limit_per_second: int | None = None
    concurrency_limit: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_deliveries(self) -> bool:
        """Whether something may be sent to it now."""
        return self.enabled and self.paused_at is None


def settle(terms: Terms, *, before: Terms | None = None) -> Terms:
    """The same in the form that is stored, if it can be agreed on. `before` is what was agreed on so far: settings that
    became stricter do not count for what stays as it was. Overrides are checked where the profile is at hand.

    Raises SubscriptionError or BadUidError, which name the field and what would be right.
    """
    if terms.uid is not None:
        check_uid("subscription", terms.uid)
    if before is None or list(terms.event_types) != list(before.event_types):
        check_patterns(terms.event_types)
    check_entity(terms.entity_type, terms.action)
    if terms.payload_filter is not None:
        parse_filter(terms.payload_filter)
    check_headers(terms.headers)
    _check_sent_once(terms)
    _check_limit("rate_limit_per_second", terms.rate_limit_per_second, HIGHEST_RATE_PER_SECOND)
    _check_limit("concurrency_limit", terms.concurrency_limit, HIGHEST_CONCURRENCY)
    wants_everything = not terms.event_types and not terms.entity_type
    return replace(
        terms,
        url=terms.url if before is not None and terms.url == before.url else read_url(terms.url),
        event_types=(ALL_TYPES,) if wants_everything else tuple(dict.fromkeys(terms.event_types)),
        auth=terms.auth if before is not None and terms.auth == before.auth else check_auth(terms.auth),
    )


def check_patterns(event_types: Sequence[str]) -> None:
    """Raises PatternError, which names the pattern and what would be right."""
    if len(event_types) > MOST_PATTERNS:
        raise PatternError(f"there are {len(event_types)} patterns; at most {MOST_PATTERNS} are allowed")
    for pattern in event_types:
        if len(pattern) > 128 or not _PATTERN.fullmatch(pattern):
            raise PatternError(
                f"{pattern[:140]!r} is no event type pattern: write `*`, a type such as order.shipped, or order.*"
            )
    in_full = [pattern for pattern in event_types if not pattern.endswith("*")]
    if in_full and hub_settings().require_known_event_types and (unknown := unknown_types(in_full)):
        raise PatternError(f"{min(unknown)!r} is not in the catalogue of event types")


def check_entity(entity_type: str, action: str) -> None:
    """Raises EntityError, which says what would be right."""
    for field_name, value, longest in (("entity_type", entity_type, 128), ("action", action, 32)):
        if len(value) > longest or not _LABEL.fullmatch(value):
            message = (
                f"{value[:140]!r} is none that an event can have: up to {longest} letters, digits, '_', '.' and '-'"
            )
            raise EntityError(message, field=field_name)
    if action and not entity_type:
        raise EntityError(f"action {action!r} needs the entity_type that it is done to, such as product")


def _check_sent_once(terms: Terms) -> None:
    """One header twice would let each receiver choose."""
    name = header_name(terms.auth)
    for header in terms.headers:
        if name is not None and header.name.lower() == name.lower():
            raise HeaderError(f"is what auth ({kind_of(terms.auth)}) sends already", field=f"headers.{header.name}")


def _check_limit(field_name: str, value: int | None, highest: int) -> None:
    if value is not None and not 1 <= value <= highest:
        raise LimitError(f"must be from 1 to {highest}, or none", field=field_name)


def read_terms(row: Subscription) -> Terms:
    """What was agreed on. Raises EncryptionKeyError."""
    return Terms(
        url=row.url,
        uid=row.uid,
        description=row.description,
        event_types=tuple(row.event_types),
        entity_type=row.entity_type,
        action=row.action,
        payload_filter=row.payload_filter,
        enabled=row.enabled,
        paused_at=row.paused_at,
        profile=str(row.profile_id),
        overrides=row.overrides,
        headers=unseal_headers(row.encrypted_headers),
        auth=unseal(row.auth_kind, row.encrypted_credentials),
        rate_limit_per_second=row.rate_limit_per_second,
        concurrency_limit=row.concurrency_limit,
        metadata=row.metadata,
    )


def to_columns(terms: Terms) -> dict[str, Any]:
    """What is stored of them, by the columns of a subscription. Raises EncryptionKeyError."""
    return {
        "url": terms.url,
        "uid": terms.uid,
        "description": terms.description,
        "event_types": list(terms.event_types),
        "entity_type": terms.entity_type,
        "action": terms.action,
        "payload_filter": terms.payload_filter,
        "enabled": terms.enabled,
        "paused_at": terms.paused_at,
        "profile_id": terms.profile,
        "overrides": dict(terms.overrides),
        "encrypted_headers": seal_headers(terms.headers),
        "auth_kind": kind_of(terms.auth),
        "encrypted_credentials": seal(terms.auth),
        "rate_limit_per_second": terms.rate_limit_per_second,
        "concurrency_limit": terms.concurrency_limit,
        "metadata": dict(terms.metadata),
    }
