"""Filters of a list that its search follows itself: unfold shows them, and Django's own queryset is left alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from webhookhub import ids
from webhookhub.errors import BadFilterError, BadIdError
from webhookhub.models import Account


class Kept:
    """Put before a filter of unfold's."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """As it was."""
        return queryset


class AccountFilter(Kept, TextFilter):  # type: ignore[misc]  # unfold carries no types
    title = "account (name, uid or acc_…)"
    parameter_name = "account"


class EventTypeFilter(Kept, TextFilter):  # type: ignore[misc]  # unfold carries no types
    title = "event type (in full)"
    parameter_name = "type"


class CorrelationFilter(Kept, TextFilter):  # type: ignore[misc]  # unfold carries no types
    title = "correlation id"
    parameter_name = "correlation"


def find_account_id(text: str) -> UUID | None:
    """The account that is named so; None where none is named. Raises BadFilterError."""
    if not text:
        return None
    # What a deleted account recorded is found by its id.
    if text.startswith("acc_"):
        return read_id("account", text)
    found = list(Account.objects.filter(Q(uid=text) | Q(name__iexact=text)).values_list("id", flat=True)[:2])
    if len(found) != 1:
        raise BadFilterError("account", "several have this name; use the uid or acc_…" if found else "there is none so")
    return found[0]


def read_id(kind: str, text: str) -> UUID:
    """The id behind its shown form. Raises BadFilterError."""
    try:
        return ids.read(kind, text)
    except BadIdError as error:
        raise BadFilterError(kind, str(error)) from None
