"""How do forms of the admin refuse what the API would refuse, in the same words?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ValidationError

from webhookhub.errors import WebhookHubError

Value = TypeVar("Value")


def checked(check: Callable[[Value], object], value: Value) -> Value:
    """The value, if the check lets it pass. Raises ValidationError."""
    try:
        check(value)
    except WebhookHubError as error:
        raise ValidationError(str(error)) from error
    return value
