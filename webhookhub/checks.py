"""Is the configuration sound? `manage.py check` says what is wrong before the first event does."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from webhookhub.conf import hub_settings
from webhookhub.encryption import encrypt
from webhookhub.errors import EncryptionKeyError

# The longest that a delivery profile may wait for an answer.
LONGEST_TIMEOUT_SECONDS = 60


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """E001: a setting of WEBHOOKHUB is wrong. E002: secrets cannot be encrypted. E005: traces cannot be sent.

    W003: leases are short.
    """
    try:
        settings = hub_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="docs/configuration.md lists every setting.", id="webhookhub.E001")]
    try:
        encrypt("")
    except EncryptionKeyError as error:
        hint = "Set WEBHOOKHUB_ENCRYPTION_KEYS, or encryption_keys in the setting WEBHOOKHUB."
        return [Error(str(error), hint=hint, id="webhookhub.E002")]
    if settings.trace_share and find_spec("opentelemetry") is None:
        hint = "pip install --requirement requirements-otel.txt, or set trace_share to 0."
        return [Error("trace_share is set, and OpenTelemetry is not installed", hint=hint, id="webhookhub.E005")]
    longest_claim_seconds = LONGEST_TIMEOUT_SECONDS + settings.batch_wait_seconds
    if settings.lease_seconds <= longest_claim_seconds:
        message = f"lease_seconds is {settings.lease_seconds}; a claim may last {longest_claim_seconds:g} seconds"
        hint = "Make it longer, or give no profile a timeout near the longest: a lease that ends early sends twice."
        return [Warning(message, hint=hint, id="webhookhub.W003")]
    return []


def check_variables(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """W004: an environment variable looks like a setting and is none."""
    return [
        Warning(
            f"the environment variable {name} is no setting of the hub, and nothing reads it",
            hint=f"Did you mean {meant}?" if meant else "docs/configuration.md lists every setting.",
            id="webhookhub.W004",
        )
        for name, meant in unknown_variables().items()
    ]


def unknown_variables() -> dict[str, str]:
    """What the hub's own service found in its environment, each with what may be meant; empty in other projects."""
    found: dict[str, str] = getattr(django_settings, "UNKNOWN_HUB_VARIABLES", {})
    return found
