"""What does an administrator see and change of what was agreed on for a subscription?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from subscriptions.models import Subscription
from subscriptions.overrides import apply_overrides
from subscriptions.subscribe import delete_subscription
from subscriptions.terms import read_terms, settle
from webhookhub.admin.hub_admin import HubAdmin
from webhookhub.admin.labels import label
from webhookhub.errors import WebhookHubError


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """A subscription, checked as `subscriptions.subscribe` checks a new one."""

    class Meta:
        model = Subscription
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError that names the field and what would be right."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        # An emptied box of JSON is an object without members.
        cleaned |= {name: cleaned[name] or {} for name in ("overrides", "metadata")}
        try:
            before = read_terms(Subscription.objects.get(id=self.instance.id))
            wanted = {name: cleaned[name] for name in _ON_THE_PAGE}
            terms = settle(replace(before, **wanted, profile=cleaned["profile"].name), before=before)
            apply_overrides(cleaned["profile"], terms.overrides)
        except WebhookHubError as error:
            # What is inside a field has no place of its own on the page: `overrides.timeout_seconds`.
            name = getattr(error, "field", "").partition(".")[0].replace("filter", "payload_filter")
            raise ValidationError({name: str(error)} if name in self.fields else str(error)) from error
        return cleaned | {"url": terms.url, "event_types": list(terms.event_types)}


# Terms that can be changed there, besides the profile.
_ON_THE_PAGE = (
    *("url", "uid", "description", "event_types", "entity_type", "action", "payload_filter", "overrides"),
    *("rate_limit_per_second", "concurrency_limit", "metadata"),
)


class SubscriptionAdmin(HubAdmin):
    """What is agreed on; how it does is for a higher floor to show, which registers this."""

    form = SubscriptionForm
    list_display = ("url", "account", "shown_state", "profile", "created_at")
    list_filter = ("enabled", "profile")
    list_select_related = ("account", "profile")
    search_fields = ("url", "uid", "account__name")
    # Nobody waits for the number of all of them.
    show_full_result_count = False
    # Credentials are not on the page, and nothing is sent of a kind without them. Whether it is told is said with a reason.
    readonly_fields = ("account", "enabled", "auth_kind", "created_at", "updated_at")

    @label("state", {"enabled": "success", "paused": "warning", "disabled": "danger"})
    def shown_state(self, subscription: Subscription) -> str:
        """Whether it is told."""
        return describe_state(subscription)

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        """What was held for it is cancelled, too."""
        delete_subscription(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        """The same for several."""
        for subscription in queryset:
            delete_subscription(subscription)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A subscription needs a signing secret: `subscriptions.subscribe` makes both."""
        return False


def describe_state(subscription: Subscription) -> str:
    """Whether it is told, in a word."""
    if not subscription.enabled:
        return "disabled"
    return "enabled" if subscription.paused_at is None else "paused"
