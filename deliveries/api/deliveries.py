"""The log of an account: its deliveries, and what came back on every attempt."""

from __future__ import annotations

from functools import partial
from typing import ClassVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.showing import (
    AttemptShown,
    DeliveryShown,
    DeliveryWithAttemptsShown,
    show_attempt,
    show_delivery,
)
from deliveries.expunge import expunge_response
from deliveries.filters import LAST_OUTCOMES, MOST_ATTEMPTS, STATUS_CODE_CLASSES, DeliveryFilter
from deliveries.log import LoggedDelivery, read_attempts, read_deliveries
from deliveries.models import DeliveryAttempt, Status
from deliveries.search import find_deliveries
from webhookhub import ids
from webhookhub.api.paging import Page, PageRequest, cut_page, page_found, read_flag, read_page_request
from webhookhub.api.problems import invalid, not_found
from webhookhub.api.schema import ACCOUNT, PAGE, WINDOW, answers, example, example_page, page_of, parameter
from webhookhub.api.views import HubView, account_in_view
from webhookhub.roles import Right

ATTEMPTS_SHOWN = 50
TAGS = ["deliveries"]

NOT_EMPTY = {"type": "string", "minLength": 1}
SEVERAL = {"type": "array", "items": NOT_EMPTY}
# What every list of deliveries takes, but for what its path says.
DELIVERY_FILTERS = (
    parameter("status", "One of these.", many=True, enum=Status.values),
    parameter("webhook", "`sub_…`, also of a deleted webhook, or a webhook's uid.", of=NOT_EMPTY),
    parameter(
        "statusCodeClass",
        "Of the last answer; `none`: there was no answer.",
        many=True,
        enum=list(STATUS_CODE_CLASSES),
    ),
    parameter("statusCode", "Of the last answer.", of=OpenApiTypes.INT, many=True),
    parameter(
        "lastOutcome", "Of the last attempt, or what it waits for that has none.", many=True, enum=list(LAST_OUTCOMES)
    ),
    parameter(
        "attemptsAtLeast",
        "How many there were so far.",
        of={"type": "integer", "minimum": 0, "maximum": MOST_ATTEMPTS},
    ),
)
EVENT_FILTERS = (
    parameter("eventType", "One of these types, in full.", of=SEVERAL),
    parameter("correlationId", "Of the event.", of=NOT_EMPTY),
)
WITH_CONTENT = "Whether to show the data of events and the answers' headers and bodies."

SHOWN = {
    "id": "dlv_0192f0c1d5a37abc9123456789abcdef",
    "account": "acc_0192f0c1d5a37abc8123456789abcdef",
    "event": "evt_0192f0c1d5a37abc8123456789abcdef",
    "eventType": "order.shipped",
    "correlationId": "checkout-4711",
    "recordedAt": "2026-01-15T10:00:00.000Z",
    "webhook": "sub_0192f0c1d5a37abc8123456789abcdef",
    "webhookUid": None,
    "webhookUrl": "https://example.com/webhooks",
    "trigger": "event",
    "manual": False,
    "status": "pending",
    "failureReason": None,
    "attemptCount": 1,
    "nextAttemptAt": "2026-01-15T10:05:00.000Z",
    "expiresAt": "2026-01-18T10:00:00.000Z",
    "finishedAt": None,
    "lastOutcome": "status",
    "lastStatusCode": 503,
}
SHOWN_ATTEMPT = {
    "id": "att_0192f0c1d5a37abca123456789abcdef",
    "delivery": "dlv_0192f0c1d5a37abc9123456789abcdef",
    "number": 1,
    "startedAt": "2026-01-15T10:00:00.012Z",
    "outcome": "status",
    "statusCode": 503,
    "error": None,
    "dnsMs": 1.2,
    "connectMs": 8.4,
    "tlsMs": 21.0,
    "firstByteMs": 48.9,
    "totalMs": 49.3,
    "peerAddress": "203.0.113.7",
    "connectionReused": False,
    "responseHeaders": [{"name": "content-type", "value": "text/plain"}],
    "responseBody": "come back later",
    "responseTruncated": False,
    "responseExpunged": False,
}


class DeliveryList(HubView):
    """All deliveries."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="deliveries_list",
        summary="List deliveries",
        description="In the order of their events, the newest first. Of a sparse filter a page may hold fewer than `limit` "
        "deliveries, or none, while `next` is not null: it goes on from where the search stopped.",
        parameters=[
            *DELIVERY_FILTERS,
            *EVENT_FILTERS,
            *WINDOW,
            parameter("withContent", WITH_CONTENT, of=OpenApiTypes.BOOL, default=False),
            *PAGE,
            ACCOUNT,
        ],
        responses=answers(200, page_of(DeliveryShown)),
        examples=[example_page(SHOWN)],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return Response(find_page(request, account_in_view(request)).show(show_delivery))


class DeliveryDetail(HubView):
    """One delivery."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="deliveries_get",
        summary="See a delivery and its attempts",
        parameters=[parameter("withContent", WITH_CONTENT, of=OpenApiTypes.BOOL, default=True), ACCOUNT],
        responses=answers(200, DeliveryWithAttemptsShown),
        examples=[example("Tried once", SHOWN | {"data": {"orderId": "ord_123"}, "attempts": [SHOWN_ATTEMPT]})],
        tags=TAGS,
    )
    def get(self, request: Request, delivery: str) -> Response:
        """The delivery, with its last attempts."""
        with_content = read_flag(request, "withContent", default=True)
        found = find_delivery(request, delivery, with_data=with_content)
        numbers = range(max(1, found.attempt_count - ATTEMPTS_SHOWN + 1), found.attempt_count + 1)
        attempts = [show_attempt(one, with_content=with_content) for one in read_attempts(found.id, numbers)]
        return Response(show_delivery(found) | {"attempts": attempts})


class AttemptList(HubView):
    """All attempts of one delivery."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="deliveries_list_attempts",
        summary="List a delivery's attempts",
        parameters=[parameter("withContent", WITH_CONTENT, of=OpenApiTypes.BOOL, default=True), *PAGE, ACCOUNT],
        responses=answers(200, page_of(AttemptShown)),
        examples=[example_page(SHOWN_ATTEMPT)],
        tags=TAGS,
    )
    def get(self, request: Request, delivery: str) -> Response:
        """A page of them."""
        wanted, with_content = read_page_request(request), read_flag(request, "withContent", default=True)
        found = find_delivery(request, delivery)
        page = _page_of_attempts(found, wanted)
        return Response(page.show(lambda attempt: show_attempt(attempt, with_content=with_content)))


class AttemptResponse(HubView):
    """What a receiver answered."""

    rights: ClassVar = {"DELETE": Right.ADMINISTER}

    @extend_schema(
        operation_id="deliveries_expunge_response",
        summary="Remove what a receiver answered",
        description="Headers and body of the answer are removed; the attempt says so from then on. Doing it again is fine.",
        parameters=[ACCOUNT],
        responses=answers(204, words="They are gone."),
        examples=[example("Removed", None, 204)],
        tags=TAGS,
    )
    def delete(self, request: Request, delivery: str, number: int) -> Response:
        """Remove it. Raises a Problem (404) where no such attempt is on record."""
        found = find_delivery(request, delivery)
        if number > found.attempt_count or not expunge_response(found.id, number):
            raise not_found("attempt")
        return Response(status=204)


def find_page(request: Request, account_id: UUID | None, *, event_id: UUID | None = None) -> Page[LoggedDelivery]:
    """The page of deliveries that a request's parameters ask for. Raises a Problem or BadFilterError."""
    wanted, with_content = read_page_request(request), read_flag(request, "withContent")
    found = find_deliveries(
        DeliveryFilter.from_parameters(dict(request.query_params.lists())),
        account_id=account_id,
        event_id=event_id,
        after=wanted.after_id,
        limit=wanted.limit + 1,
        ascending=wanted.reads_ascending,
    )
    return page_found(found, wanted, partial(read_deliveries, with_data=with_content))


def find_delivery(request: Request, named: str, *, with_data: bool = False) -> LoggedDelivery:
    """The delivery that a path names. Raises BadIdError or a Problem (404) where there is none that the caller may see."""
    account_id = account_in_view(request)
    found = read_deliveries([ids.read("delivery", named)], with_data=with_data)
    if not found or account_id not in (None, found[0].account_id):
        raise not_found("delivery")
    return found[0]


def _page_of_attempts(delivery: LoggedDelivery, wanted: PageRequest) -> Page[DeliveryAttempt]:
    """Attempts are numbered without gaps, so that a page is a range of numbers."""
    numbers = range(1, delivery.attempt_count + 1)
    after = _read_number(wanted.after)
    if wanted.reads_ascending:
        numbers = numbers[after or 0 :]
    else:
        numbers = numbers[: len(numbers) if after is None else after - 1][::-1]
    attempts = read_attempts(delivery.id, numbers[: wanted.limit + 1])
    if not wanted.reads_ascending:
        attempts.reverse()
    return cut_page(attempts, wanted, lambda attempt: str(attempt.number))


def _read_number(key: str | None) -> int | None:
    if key is None:
        return None
    if not (key.isascii() and key.isdigit() and len(key) < 10 and int(key) > 0):
        raise invalid("cursor", "belongs to another list")
    return int(key)
