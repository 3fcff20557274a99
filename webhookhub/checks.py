"""Is the configuration sound? `manage.py check` says what is wrong before the first event does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from webhookhub.conf import hub_settings
from webhookhub.encryption import encrypt
from webhookhub.errors import EncryptionKeyError


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """E001: a setting of WEBHOOKHUB is wrong. E002: secrets cannot be encrypted."""
    try:
        hub_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="docs/configuration.md lists every setting.", id="webhookhub.E001")]
    try:
        encrypt("")
    except EncryptionKeyError as error:
        hint = "Set WEBHOOKHUB_ENCRYPTION_KEYS, or encryption_keys in the setting WEBHOOKHUB."
        return [Error(str(error), hint=hint, id="webhookhub.E002")]
    return []
