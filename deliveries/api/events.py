"""What happened, and who was told: an account's events, each with its deliveries."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.deliveries import (
    DELIVERY_FILTERS,
    NOT_EMPTY,
    SEVERAL,
    SHOWN,
    SHOWN_ATTEMPT,
    WITH_CONTENT,
    find_page,
)
from deliveries.api.showing import DestinationShown, EventShown, show_attempt, show_delivery, show_event
from deliveries.expunge import expunge_data
from deliveries.log import LoggedDelivery, LoggedEvent, read_events, read_last_attempts
from webhookhub import ids
from webhookhub.api.paging import Page, page_found, read_flag, read_page_request
from webhookhub.api.problems import not_found
from webhookhub.api.publishing import PublishEvent
from webhookhub.api.schema import ACCOUNT, PAGE, WINDOW, answers, example, example_page, page_of, parameter
from webhookhub.api.views import HubView, account_in_view
from webhookhub.event_search import EventFilter, find_events
from webhookhub.roles import Right

_TAGS = ["events"]
_SHOWN = {
    "id": "evt_0192f0c1d5a37abc8123456789abcdef",
    "account": "acc_0192f0c1d5a37abc8123456789abcdef",
    "type": "order.shipped",
    "entityType": "order",
    "action": "UPDATE",
    "subject": "https://shop.example.com/orders/123",
    "correlationId": "checkout-4711",
    "createdAt": "2026-01-15T10:00:00.000Z",
    "fanOut": "matched",
    "expunged": False,
    "data": {"orderId": "ord_123"},
}


class EventList(PublishEvent):
    """All events; new ones are published here."""

    rights: ClassVar = {"GET": Right.READ, "POST": Right.PUBLISH}

    @extend_schema(
        operation_id="events_list",
        summary="List events",
        description="The newest first. Of a sparse filter a page may hold fewer than `limit` events, or none, while `next` "
        "is not null: it goes on from where the search stopped.",
        parameters=[
            parameter("type", "One of these types, in full.", of=SEVERAL),
            parameter("correlationId", "As it was published.", of=NOT_EMPTY),
            parameter("entityType", "As it was published.", of=NOT_EMPTY),
            parameter("action", "As it was published.", of=NOT_EMPTY),
            *WINDOW,
            parameter("withContent", "Whether to show data.", of=OpenApiTypes.BOOL, default=True),
            *PAGE,
            ACCOUNT,
        ],
        responses=answers(200, page_of(EventShown)),
        examples=[example_page(_SHOWN)],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        with_content = read_flag(request, "withContent", default=True)
        return Response(_find_page(request, with_content=with_content).show(show_event))


class EventDetail(HubView):
    """One event."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="events_get",
        summary="See an event",
        parameters=[parameter("withContent", "Whether to show data.", of=OpenApiTypes.BOOL, default=True), ACCOUNT],
        responses=answers(200, EventShown),
        examples=[example("Somebody heard of it", _SHOWN)],
        tags=_TAGS,
    )
    def get(self, request: Request, event: str) -> Response:
        """The event as it was published."""
        with_content = read_flag(request, "withContent", default=True)
        return Response(show_event(find_event(request, event, with_data=with_content)))


class EventData(HubView):
    """What an event carries."""

    rights: ClassVar = {"DELETE": Right.ADMINISTER}

    @extend_schema(
        operation_id="events_expunge_data",
        summary="Remove an event's data",
        description="The event stays, without its data. Attempts that are still to come end the delivery as `failed`, with "
        "the reason `payload expunged`, and send nothing. Doing it again is fine.",
        parameters=[ACCOUNT],
        responses=answers(204, words="They are gone."),
        examples=[example("Removed", None, 204)],
        tags=_TAGS,
    )
    def delete(self, request: Request, event: str) -> Response:
        """Remove them."""
        expunge_data(find_event(request, event).id)
        return Response(status=204)


class EventDeliveries(HubView):
    """Who was told of an event, and how that went."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="events_list_deliveries",
        summary="List an event's deliveries, each with its last attempt",
        description="To deleted webhooks too. A replay is a delivery of its own.",
        parameters=[
            *DELIVERY_FILTERS,
            parameter("withContent", WITH_CONTENT, of=OpenApiTypes.BOOL, default=False),
            *PAGE,
            ACCOUNT,
        ],
        responses=answers(200, page_of(DestinationShown)),
        examples=[example_page(SHOWN | {"lastAttempt": SHOWN_ATTEMPT})],
        tags=_TAGS,
    )
    def get(self, request: Request, event: str) -> Response:
        """A page of them. Raises BadIdError or a Problem (404) where there is no such event."""
        with_content = read_flag(request, "withContent")
        page = find_page(request, account_in_view(request), event_id=ids.read("event", event))
        if not page.rows:
            # A delivery says that there is the event; without one it has to be asked.
            find_event(request, event)
        attempts = read_last_attempts(page.rows)

        def show(one: LoggedDelivery) -> dict[str, Any]:
            attempt = attempts.get(one.id)
            shown = None if attempt is None else show_attempt(attempt, with_content=with_content)
            return show_delivery(one) | {"lastAttempt": shown}

        return Response(page.show(show))


def find_event(request: Request, named: str, *, with_data: bool = False) -> LoggedEvent:
    """The event that a path names. Raises BadIdError or a Problem (404) where there is none that the caller may see."""
    account_id = account_in_view(request)
    found = read_events([ids.read("event", named)], with_data=with_data)
    if not found or account_id not in (None, found[0].account_id):
        raise not_found("event")
    return found[0]


def _find_page(request: Request, *, with_content: bool) -> Page[LoggedEvent]:
    wanted = read_page_request(request)
    found = find_events(
        EventFilter.from_parameters(dict(request.query_params.lists())),
        account_id=account_in_view(request),
        after=wanted.after_id,
        limit=wanted.limit + 1,
        ascending=wanted.reads_ascending,
    )
    return page_found(found, wanted, partial(read_events, with_data=with_content))
