"""What does an administrator see of events, and see and change of their types?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from webhookhub.admin.checked import checked
from webhookhub.admin.hub_admin import HubAdmin, ReadOnlyAdmin
from webhookhub.admin.kept_filters import AccountFilter, CorrelationFilter, EventTypeFilter, find_account_id
from webhookhub.admin.pages import SearchedChangeList
from webhookhub.bounded_search import Found
from webhookhub.event_rows import check_event_type
from webhookhub.event_search import EventFilter, find_events
from webhookhub.models import Event, EventType
from webhookhub.schemas import Schema


class EventTypeForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """An entry of the catalogue, checked as the API checks it."""

    class Meta:
        model = EventType
        fields = ("name", "description", "schema", "example", "archived_at")

    def clean_name(self) -> str:
        """Raises ValidationError where no event can have this type."""
        return checked(check_event_type, str(self.cleaned_data["name"]))

    def clean_schema(self) -> Any:
        """Raises ValidationError where it is no JSON Schema."""
        schema = self.cleaned_data["schema"]
        return schema if schema is None else checked(Schema, schema)


@admin.register(EventType)
class EventTypeAdmin(HubAdmin):
    form = EventTypeForm
    list_display = ("name", "description", "archived_at", "updated_at")
    search_fields = ("name", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> Sequence[str]:
        """Another name is another type."""
        return () if obj is None else ("name",)


class EventList(SearchedChangeList):
    """Found by the search of the API's list."""

    def find(self, after: UUID | None, limit: int) -> Found:
        """Raises BadFilterError."""
        given = {name: str(self.params[name]) for name in ("account", "type", "correlation") if self.params.get(name)}
        wanted = EventFilter.from_parameters(
            {"type": given.get("type"), "correlationId": given.get("correlation")},
        )
        account_id = find_account_id(given.get("account", ""))
        return find_events(wanted, account_id=account_id, after=after, limit=limit, ascending=False)


class EventAdmin(ReadOnlyAdmin):
    """What happened; who was told is for a higher floor to show, which registers this."""

    list_display = ("type", "row_id", "shown_account", "correlation_id", "created_at")
    list_filter = (AccountFilter, EventTypeFilter, CorrelationFilter)
    list_filter_submit = True
    list_per_page = 50
    # A join would hide the events of an account that was deleted; and an empty tuple keeps Django from joining by itself.
    list_select_related = ()
    sortable_by: ClassVar = ()

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[EventList]:
        """No count, no offset."""
        return EventList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """With the accounts of a page in one query."""
        return super().get_queryset(request).prefetch_related("account")  # type: ignore[no-any-return]  # unfold carries no types

    @admin.display(description="account")
    def shown_account(self, event: Event) -> str:
        """Whose it is."""
        return event.account.name if event.account else "(deleted account)"
