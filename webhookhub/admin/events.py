"""What does an administrator see of events, and see and change of their types?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from webhookhub.admin.checked import checked
from webhookhub.admin.hub_admin import ReadOnlyAdmin
from webhookhub.event_rows import check_event_type
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
class EventTypeAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    form = EventTypeForm
    list_display = ("name", "description", "archived_at", "updated_at")
    search_fields = ("name", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> Sequence[str]:
        """Another name is another type."""
        return () if obj is None else ("name",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("type", "shown_id", "account", "created_at")
    # A join would hide the events of an account that was deleted; and an empty tuple keeps Django from joining by itself.
    list_select_related = ()
    ordering: ClassVar = ["-id"]
