"""How is a request's body checked? By serializers that take each value in its own type, and no field that nobody reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.settings import api_settings

from webhookhub.moments import parse_moment
from webhookhub.uids import LONGEST_UID, UID_CHARACTERS

METADATA_MAX_BYTES = 4096


class Body(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A JSON object with these fields and no others."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError that names the fields."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["has to be a JSON object"]})
        if unknown := [name for name in data if name not in self.fields]:
            known = ", ".join(name for name, field in self.fields.items() if not field.read_only) or "none"
            raise serializers.ValidationError({unknown[0][:60]: [f"is no field here; there are {known}"]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A text; a number is none. Spaces stay as they are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | options)

    def to_internal_value(self, data: Any) -> str:
        """Raises ValidationError for anything but a text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("has to be a text")
        return super().to_internal_value(data)


class Uid(Text):
    """An id of the caller's own. What else it may not be, `webhookhub.uids` says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": LONGEST_UID, "required": False, "allow_null": True} | options)
        self.validators.append(RegexValidator(UID_CHARACTERS, "takes printable ASCII without spaces and slashes"))


class Choice(serializers.ChoiceField):
    """One of a few texts; whoever names another is told which there are."""

    def __init__(self, choices: Sequence[Any], **options: Any) -> None:
        super().__init__(choices, **options)
        self.error_messages["invalid_choice"] = f"is one of {', '.join(map(str, self.choices))}"


class Flag(serializers.BooleanField):
    """true or false; neither 1 nor "yes" is one."""

    def to_internal_value(self, data: Any) -> bool:
        """Raises ValidationError for anything but true and false."""
        if not isinstance(data, bool):
            raise serializers.ValidationError("has to be true or false")
        return data


class Whole(serializers.IntegerField):
    """A whole number; a text with digits in it is none."""

    def to_internal_value(self, data: Any) -> int:
        """Raises ValidationError for anything but a whole number."""
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("has to be a whole number")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """ISO 8601 with a zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"format": "iso-8601"} | options)

    def to_internal_value(self, value: Any) -> Any:
        """Raises ValidationError for anything but a text that names a moment."""
        try:
            return parse_moment(value)
        except (TypeError, ValueError):
            raise serializers.ValidationError("has to be a moment such as 2026-01-31T12:00:00Z") from None


class Metadata(serializers.DictField):
    """A JSON object of the caller's own, up to 4 kB."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError for anything but an object, and for one that is too large."""
        value = super().to_internal_value(data)
        size = len(json.dumps(value, ensure_ascii=False).encode())
        if size > METADATA_MAX_BYTES:
            raise serializers.ValidationError(f"has {size} bytes of JSON; at most {METADATA_MAX_BYTES} are kept")
        return value


def read_body(body: type[Body], data: Any, *, partial: bool = False) -> dict[str, Any]:
    """The checked values of a request's body; with `partial` only of the fields that are there. Raises ValidationError."""
    serializer = body(data=data, partial=partial)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values
