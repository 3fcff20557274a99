"""The route of delivery profiles: which ones can a webhook follow?"""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.models import Profile
from subscriptions.profiles import BodyForm
from webhookhub.api.paging import Page
from webhookhub.api.schema import answers, example_page, page_of
from webhookhub.api.views import HubView
from webhookhub.roles import Right


class ProfileShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A delivery profile: how long to wait, what counts as success, what is tried again, and when."""

    name = serializers.CharField()
    description = serializers.CharField()
    timeoutSeconds = serializers.FloatField()
    successStatuses = serializers.CharField()
    retryOn = serializers.CharField()
    stopOnGone = serializers.BooleanField()
    intervalsSeconds = serializers.ListField(child=serializers.FloatField())
    maxIntervalSeconds = serializers.FloatField(allow_null=True)
    backoffFactor = serializers.FloatField()
    maxAttempts = serializers.IntegerField(allow_null=True)
    expiresAfterSeconds = serializers.FloatField()
    jitterRatio = serializers.FloatField()
    retryAfterCapSeconds = serializers.FloatField()
    bodyForm = serializers.ChoiceField(choices=list(BodyForm))
    userAgent = serializers.CharField(allow_null=True)
    requestIdParameter = serializers.CharField(allow_null=True)


_EXAMPLE = example_page(
    {
        "name": "entity-change",
        "description": "Thin notification of a changed entity: 200 or 204 within 1.5 seconds, three more attempts at once.",
        "timeoutSeconds": 1.5,
        "successStatuses": "200,204",
        "retryOn": "any",
        "stopOnGone": False,
        "intervalsSeconds": [0, 0, 0],
        "maxIntervalSeconds": None,
        "backoffFactor": 2,
        "maxAttempts": None,
        "expiresAfterSeconds": 86400,
        "jitterRatio": 0,
        "retryAfterCapSeconds": 0,
        "bodyForm": "notification",
        "userAgent": "WebhookHub webhook touch agent 1.0",
        "requestIdParameter": "requestId",
    }
)


class ProfilesView(HubView):
    """The profiles there are, the same for every account."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="profiles_list",
        summary="List delivery profiles",
        responses=answers(200, page_of(ProfileShown)),
        examples=[_EXAMPLE],
        tags=["webhooks"],
    )
    def get(self, request: Request) -> Response:
        """All of them, by name: there are few."""
        page = Page(rows=list(Profile.objects.order_by("name")), next=None, previous=None)
        return Response(page.show(show_profile))


def show_profile(row: Profile) -> dict[str, Any]:
    """The profile as the API answers it, its fields named as a webhook's overrides."""
    return {
        "name": row.name,
        "description": row.description,
        "timeoutSeconds": row.timeout_seconds,
        "successStatuses": row.success_statuses,
        "retryOn": row.retry_on,
        "stopOnGone": row.stop_on_gone,
        "intervalsSeconds": row.intervals_seconds,
        "maxIntervalSeconds": row.max_interval_seconds,
        "backoffFactor": row.backoff_factor,
        "maxAttempts": row.max_attempts,
        "expiresAfterSeconds": row.expires_after_seconds,
        "jitterRatio": row.jitter_ratio,
        "retryAfterCapSeconds": row.retry_after_cap_seconds,
        "bodyForm": row.body_form,
        "userAgent": row.user_agent or None,
        "requestIdParameter": row.request_id_parameter or None,
    }
