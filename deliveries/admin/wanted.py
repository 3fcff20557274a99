"""Which deliveries does an administrator mean? The filters of the list, read as the filter that API and jobs use, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from deliveries.filters import LAST_OUTCOMES, DeliveryFilter
from deliveries.models import UNDELIVERED, Status
from subscriptions.models import Subscription
from webhookhub import ids
from webhookhub.admin.kept_filters import AccountFilter, EventTypeFilter, Kept, find_account_id, read_id
from webhookhub.errors import BadFilterError

ANY_STATUS = "any"
OUTSTANDING = "outstanding"
# What the list opens on has no parameter.
_STATUSES: dict[str, tuple[Status, ...]] = {
    "": UNDELIVERED,
    OUTSTANDING: (Status.PENDING, Status.HELD),
    **{status.value: (status,) for status in Status},
    ANY_STATUS: (),
}
_AGES = {
    "newer-1h": ("Up to an hour", timedelta(hours=1)),
    "newer-1d": ("Up to a day", timedelta(days=1)),
    "older-1h": ("Older than an hour", timedelta(hours=1)),
    "older-1d": ("Older than a day", timedelta(days=1)),
    "older-7d": ("Older than a week", timedelta(days=7)),
}
_ATTEMPTS = (1, 2, 3, 5, 10, 20)


class Wanted(NamedTuple):
    """Deliveries that somebody means."""

    filter: DeliveryFilter
    account_id: UUID | None
    """None: of all accounts."""


class StatusFilter(Kept, DropdownFilter):  # type: ignore[misc]  # unfold carries no types
    title = "status"
    parameter_name = "status"
    all_option: ClassVar = ["", "Neither delivered nor cancelled"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One status, those that may still be sent, or all."""
        single = [(status.value, str(status.label)) for status in Status]
        return [(OUTSTANDING, "Still to be sent"), *single, (ANY_STATUS, "Any")]


class AttemptsFilter(Kept, DropdownFilter):  # type: ignore[misc]  # unfold carries no types
    title = "attempts"
    parameter_name = "attempts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """So many or more."""
        return [(str(number), f"At least {number}") for number in _ATTEMPTS]


class AgeFilter(Kept, DropdownFilter):  # type: ignore[misc]  # unfold carries no types
    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Counted from when the event was recorded."""
        return [(name, words) for name, (words, _) in _AGES.items()]


class OutcomeFilter(Kept, DropdownFilter):  # type: ignore[misc]  # unfold carries no types
    title = "last outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """How the last attempt went, or what it waits for that has none."""
        return [(name, name.replace("_", " ").capitalize()) for name in LAST_OUTCOMES]


class WebhookFilter(Kept, TextFilter):  # type: ignore[misc]  # unfold carries no types
    title = "webhook (URL, uid or sub_…)"
    parameter_name = "webhook"


FILTERS = (StatusFilter, AccountFilter, WebhookFilter, EventTypeFilter, AttemptsFilter, AgeFilter, OutcomeFilter)


def read_wanted(parameters: Mapping[str, str], *, now: datetime) -> Wanted:
    """The deliveries that the parameters of the list mean. Raises BadFilterError."""
    account_id = find_account_id(parameters.get("account", ""))
    given = {
        "eventType": parameters.get("type") or None,
        "attemptsAtLeast": parameters.get("attempts") or None,
        "lastOutcome": parameters.get("outcome") or None,
        "webhook": _find_webhook(parameters.get("webhook", ""), account_id),
        "status": [status.value for status in _read_statuses(parameters.get("status", ""))] or None,
        **_read_age(parameters.get("age", ""), now),
    }
    return Wanted(DeliveryFilter.from_parameters(given), account_id)


def _read_statuses(text: str) -> tuple[Status, ...]:
    if text not in _STATUSES:
        raise BadFilterError("status", f"{text[:60]!r} is none")
    return _STATUSES[text]


def _read_age(text: str, now: datetime) -> dict[str, str]:
    if not text:
        return {}
    if text not in _AGES:
        raise BadFilterError("age", f"{text[:60]!r} is none")
    moment = (now - _AGES[text][1]).isoformat()
    return {"since": moment} if text.startswith("newer") else {"until": moment}


def _find_webhook(text: str, account_id: UUID | None) -> str | None:
    if not text:
        return None
    if text.startswith("sub_"):
        return ids.show("subscription", read_id("subscription", text))
    rows = Subscription.objects.filter(Q(uid=text) | Q(url=text))
    found = list((rows if account_id is None else rows.filter(account_id=account_id))[:2])
    if len(found) != 1:
        raise BadFilterError("webhook", "several are so; use sub_…" if found else "there is none so; use sub_…")
    return found[0].shown_id
