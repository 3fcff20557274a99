"""What does an administrator see and change of delivery profiles?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from subscriptions.models import Profile
from subscriptions.profiles import InvalidProfileError
from subscriptions.statuses import RetryRule, StatusSet
from webhookhub.admin.checked import checked
from webhookhub.admin.hub_admin import HubAdmin


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
        return checked(StatusSet.parse, str(self.cleaned_data["success_statuses"]))

    def clean_retry_on(self) -> str:
        """Raises ValidationError where the text is no retry rule."""
        return checked(RetryRule.parse, str(self.cleaned_data["retry_on"]))


@admin.register(Profile)
class ProfileAdmin(HubAdmin):
    """Copy a profile with "Save as new" under another name."""

    form = ProfileForm
    list_display = ("name", "description", "timeout_seconds", "success_statuses", "max_attempts")
    save_as = True
