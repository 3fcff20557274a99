"""What does this deployment want? The only place that reads environment variables, each with its type, default and meaning."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from webhookhub.conf import HubSettings, describe_problems, split_commas

PREFIX = "WEBHOOKHUB_"
# Beginnings of variables that are no settings of the hub: what a checkout's commands, their tests, demo and benchmark tell
# each other, and what Kubernetes sets in every container beside a Service called `webhookhub`.
_OTHERS = ("STATE", "PORT", "PYTHON", "TEST_", "DEMO_", "NAIVE", "BENCHMARK", "SERVICE_")
READ_ELSEWHERE = tuple(PREFIX + name for name in _OTHERS)


class Environment(BaseSettings):
    """The settings of the service around the apps: where its servers are and how it shows itself."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", enable_decoding=False)

    database_url: SecretStr = Field(
        default=SecretStr("postgres://postgres@127.0.0.1:5432/webhookhub"),
        validation_alias="DATABASE_URL",
        description="PostgreSQL 14 or newer, as `postgres://user:password@host:port/name`.",
    )
    celery_broker_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias="CELERY_BROKER_URL",
        description="Redis or Valkey (`redis://:password@host:port/number`) or RabbitMQ (`amqp://user:password@host:port/vhost`).",
    )
    secret_key: SecretStr = Field(
        description="Django's secret key: at least 50 random characters, kept from everybody. Without it nothing starts."
    )
    base_url: str = Field(default="http://127.0.0.1:8000", description="Where the hub itself is reached, for links.")
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "[::1]"), description="Host names that the web server answers to."
    )
    https: bool = Field(
        default=False, description="The hub is served over HTTPS: secure cookies, HSTS, and a redirect from plain HTTP."
    )
    mail_host: str = Field(
        default="", description="The SMTP server that contacts are written to through; without one nobody is."
    )
    mail_port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    mail_encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection to it is kept secret: from the start with `tls`."
    )
    mail_user: str = Field(default="", description="The user that it knows us by; empty: none.")
    mail_password: SecretStr = Field(default=SecretStr(""), description="That user's password.")
    mail_from: str = Field(default="webhookhub@localhost", description="Whom mails are from.")
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or lines for human eyes."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least level that is written."
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def split_commas(cls, value: Any) -> Any:
        """The parts of a comma-separated text."""
        return split_commas(value)


class HubEnvironment(HubSettings, BaseSettings):
    """The hub's own settings, each read from the variable WEBHOOKHUB_ and its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", enable_decoding=False)


def read_environment() -> tuple[Environment, HubSettings]:
    """Both halves of the configuration. Raises ImproperlyConfigured that names every variable that is wrong."""
    problems: list[str] = []
    halves: list[BaseSettings] = []
    for half in (Environment, HubEnvironment):
        try:
            halves.append(half())  # type: ignore[call-arg]  # what it lacks is in the environment
        except ValidationError as error:
            problems += describe_problems(error)
    if problems:
        raise ImproperlyConfigured(
            "environment variables (WEBHOOKHUB_ and the name in capitals): " + "; ".join(problems)
        )
    service, hub = halves
    assert isinstance(service, Environment)
    assert isinstance(hub, HubSettings)
    return service, hub


def unknown_variables(names: Iterable[str] | None = None) -> dict[str, str]:
    """The environment's variables that look like the hub's and that nobody reads, each with the one that may be meant, or ""."""
    settings = _variables()
    given = {name.upper() for name in (os.environ if names is None else names)}
    unknown = [name for name in given - set(settings.values()) if name.startswith(PREFIX)]
    return {name: _likeliest(name, settings) for name in sorted(unknown) if not name.startswith(READ_ELSEWHERE)}


def _variables() -> dict[str, str]:
    """The name of every setting in capitals, and the variable that it is read from."""
    fields = {**Environment.model_fields, **HubEnvironment.model_fields}
    return {name.upper(): str(field.validation_alias or PREFIX + name.upper()) for name, field in fields.items()}


def _likeliest(name: str, settings: dict[str, str]) -> str:
    close = get_close_matches(name.removeprefix(PREFIX), settings, n=1, cutoff=0.5)
    return settings[close[0]] if close else ""
