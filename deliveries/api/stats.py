"""How a webhook does: its deliveries counted, and how its receiver answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.filters import STATUS_CODE_CLASSES
from deliveries.models import Status
from deliveries.stats import MOST_ATTEMPTS, NEWEST_DELIVERIES, WebhookStats, count_deliveries
from subscriptions.api.views import find_webhook
from subscriptions.models import Subscription
from webhookhub.api.paging import read_moment
from webhookhub.api.problems import FieldError, Problem, invalid
from webhookhub.api.schema import ACCOUNT, WINDOW, answers, example
from webhookhub.api.views import HubView
from webhookhub.moments import iso_moment
from webhookhub.roles import Right

DEFAULT_WINDOW = timedelta(hours=24)
LONGEST_WINDOW = timedelta(days=31)

_SHOWN = {
    "webhook": "sub_0192f0c1d5a37abc8123456789abcdef",
    "since": "2026-01-14T10:00:00.000Z",
    "until": "2026-01-15T10:00:00.000Z",
    "deliveries": {"total": 100, "pending": 1, "held": 0, "delivered": 96, "failed": 2, "cancelled": 1},
    "successRate": 0.98,
    "attempts": {
        "total": 103,
        "byOutcome": {"delivered": 96, "status": 5, "timeout": 2},
        "byStatusCodeClass": {"2xx": 96, "3xx": 0, "4xx": 1, "5xx": 4, "none": 2},
        "medianMs": 41.2,
        "p95Ms": 187.5,
    },
}


class DeliveryCountsShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Deliveries of events that were recorded in the window."""

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    held = serializers.IntegerField()
    delivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class AttemptCountsShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """How the receiver answered, in the window's newest deliveries."""

    total = serializers.IntegerField()
    byOutcome = serializers.DictField(
        child=serializers.IntegerField(), help_text="Outcomes that there were, as of attempts."
    )
    byStatusCodeClass = serializers.DictField(
        child=serializers.IntegerField(), help_text=f"{', '.join(STATUS_CODE_CLASSES)} (there was no answer)."
    )
    medianMs = serializers.FloatField(allow_null=True)
    p95Ms = serializers.FloatField(allow_null=True)


class StatsShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """How a webhook does."""

    webhook = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    deliveries = DeliveryCountsShown()
    successRate = serializers.FloatField(
        allow_null=True, help_text="Delivered, of those that were delivered or failed; null: there is none yet."
    )
    attempts = AttemptCountsShown()


class WebhookStatsView(HubView):
    """Figures of one webhook."""

    rights: ClassVar = {"GET": Right.READ}
    needs_webhooks = True

    @extend_schema(
        operation_id="webhooks_stats",
        summary="See how a webhook does",
        description="Of the events that were recorded in the window: the last 24 hours, if nothing else is said; at most 31 "
        f"days. Attempts are those of the newest {NEWEST_DELIVERIES:,} deliveries, at most {MOST_ATTEMPTS:,}.",
        parameters=[*WINDOW, ACCOUNT],
        responses=answers(200, StatsShown),
        examples=[example("A day", _SHOWN)],
        tags=["webhooks"],
    )
    def get(self, request: Request, webhook: str) -> Response:
        """Count. Raises a Problem: 400 where the window is too long."""
        since, until = _read_window(request)
        found = find_webhook(request, webhook)
        stats = count_deliveries(found.id, since=since, until=until)
        return Response(_show_stats(found, stats, since=since, until=until))


def _read_window(request: Request) -> tuple[datetime, datetime]:
    until = read_moment(request, "until") or timezone.now()
    since = read_moment(request, "since") or until - DEFAULT_WINDOW
    if since >= until:
        raise invalid("since", "lies before until")
    if until - since > LONGEST_WINDOW:
        message = f"lies more than {LONGEST_WINDOW.days} days before until"
        raise Problem(400, "window_too_long", f"since: {message}", errors=[FieldError(field="since", message=message)])
    return since, until


def _show_stats(webhook: Subscription, stats: WebhookStats, *, since: datetime, until: datetime) -> dict[str, Any]:
    attempts = stats.attempts
    return {
        "webhook": webhook.shown_id,
        "since": iso_moment(since),
        "until": iso_moment(until),
        "deliveries": {"total": sum(stats.by_status.values())}
        | {status.value: stats.by_status[status] for status in Status},
        "successRate": stats.success_rate,
        "attempts": {
            "total": attempts.total,
            "byOutcome": attempts.by_outcome,
            "byStatusCodeClass": attempts.by_status_code_class,
            "medianMs": attempts.median_ms,
            "p95Ms": attempts.p95_ms,
        },
    }
