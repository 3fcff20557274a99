"""What does an administrator see and change of subscriptions and delivery profiles?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from subscriptions.models import Profile, Subscription
from subscriptions.overrides import apply_overrides
from subscriptions.profiles import InvalidProfileError
from subscriptions.statuses import RetryRule, StatusSet
from subscriptions.subscribe import set_enabled
from subscriptions.terms import read_terms, settle
from webhookhub.errors import WebhookHubError

Text = TypeVar("Text")


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """A profile, checked by the rules that deliveries follow."""

    class Meta:
        model = Profile
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError that names the fields and what would be right."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                Profile(**cleaned).to_value()
            except InvalidProfileError as error:
                raise ValidationError({problem.field: problem.message for problem in error.problems}) from error
        return cleaned

    def clean_success_statuses(self) -> str:
        """Raises ValidationError where the text is no set of statuses."""
        return _read(StatusSet.parse, str(self.cleaned_data["success_statuses"]))

    def clean_retry_on(self) -> str:
        """Raises ValidationError where the text is no retry rule."""
        return _read(RetryRule.parse, str(self.cleaned_data["retry_on"]))


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
    *("url", "uid", "description", "event_types", "entity_type", "action", "payload_filter", "enabled", "overrides"),
    *("rate_limit_per_second", "concurrency_limit", "metadata"),
)


def _read(check: Callable[[Text], object], value: Text) -> Text:
    try:
        check(value)
    except WebhookHubError as error:
        raise ValidationError(str(error)) from error
    return value


@admin.register(Profile)
class ProfileAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    """Copy a profile with "Save as new" under another name."""

    form = ProfileForm
    list_display = ("name", "description", "timeout_seconds", "success_statuses", "max_attempts")
    save_as = True


@admin.register(Subscription)
class SubscriptionAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    form = SubscriptionForm
    list_display = ("url", "shown_id", "account", "enabled", "profile")
    list_filter = ("enabled", "profile")
    list_select_related = ("account", "profile")
    search_fields = ("url",)
    # Credentials are not on the page, and nothing is sent of a kind without them.
    readonly_fields = ("auth_kind", "created_at", "updated_at")
    actions = ("enable", "disable")

    @admin.action(description="Enable, and release what was held", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        """Start telling them again."""
        for subscription in queryset:
            set_enabled(subscription, True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        """Stop telling them; what is on its way is held."""
        for subscription in queryset:
            set_enabled(subscription, False)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A subscription needs a signing secret: `subscriptions.subscribe` makes both."""
        return False

    def save_model(self, request: HttpRequest, obj: Subscription, form: ModelForm[Subscription], change: bool) -> None:
        """Save, and release what was held if it takes deliveries again."""
        super().save_model(request, obj, form, change)
        if "enabled" in form.changed_data:
            set_enabled(obj, obj.enabled)
