"""Who was told of an event? Its page, with its deliveries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from deliveries.filters import DeliveryFilter
from deliveries.log import LoggedDelivery, read_deliveries
from deliveries.search import find_deliveries
from webhookhub import ids
from webhookhub.admin.events import EventAdmin
from webhookhub.errors import BadIdError
from webhookhub.models import Event

DELIVERIES_SHOWN = 50


@admin.register(Event)
class ToldEventAdmin(EventAdmin):
    change_form_outer_before_template = "webhookhub/admin/event_above.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its deliveries."""
        context = {**(extra_context or {}), "told": _read_told(object_id)}
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer


def _read_told(object_id: str) -> list[LoggedDelivery]:
    """The first ones; what is no id has none."""
    try:
        event_id: UUID = ids.read("event", object_id)
    except BadIdError:
        return []
    found = find_deliveries(DeliveryFilter(), account_id=None, event_id=event_id, limit=DELIVERIES_SHOWN)
    return read_deliveries(found.ids)
