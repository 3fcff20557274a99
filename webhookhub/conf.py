"""How does the hub behave? Every setting of the three apps: its type, bounds, default and unit, in one value.

A project sets `WEBHOOKHUB = {...}` in its Django settings; the hub's own service fills it from the environment.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator


class HubSettings(BaseModel):
    """The settings of the apps `webhookhub`, `subscriptions` and `deliveries`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encryption_keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Fernet keys that encrypt signing secrets and credentials at rest. The first one encrypts, all decrypt, "
        "so a new key is put in front and the old ones stay until everything was saved anew.",
    )
    event_data_max_bytes: int = Field(
        default=262_144, ge=1, description="Bytes. The largest `data` of one event, as it is sent (UTF-8)."
    )
    request_max_bytes: int = Field(
        default=8_388_608,
        ge=1024,
        description="Bytes. The largest body of a request to the API or the admin; a larger one is answered 413 before it is read.",
    )
    ingest_queue_max: int = Field(
        default=10_000,
        ge=1,
        description="Events that may wait in a web process to be recorded; further ones are answered 503 with Retry-After.",
    )
    idempotency_hours: int = Field(
        default=24, ge=1, le=8760, description="Hours for which an idempotency key is kept, at the least."
    )
    transport: Literal["curl", "requests"] = Field(
        default="curl",
        description="What speaks HTTP: `curl` (libcurl, many times cheaper) or `requests` (where libcurl has no wheel, or with "
        "adapters of your own).",
    )
    allow_cidrs: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks that deliveries may reach although they are private or loopback, such as `10.1.0.0/16`. "
        "Link-local, metadata and multicast addresses stay refused.",
    )
    https_only: bool = Field(
        default=False,
        description="Whether webhooks and token URLs have to begin with https:// to be accepted. What exists stays as it is.",
    )
    require_known_event_types: bool = Field(
        default=False,
        description="Whether a webhook may name only event types that the catalogue has; patterns such as `order.*` may always be "
        "named.",
    )
    egress_proxy_url: str = Field(
        default="",
        description="An HTTP proxy that all deliveries go through; it then has to refuse internal addresses itself.",
    )
    ca_bundle: str = Field(
        default="", description="Path of a PEM file of authorities to trust; empty: the ones certifi ships."
    )
    user_agent: str = Field(
        default="WebhookHub/1.0", description="The User-Agent of deliveries whose profile names none."
    )
    response_body_max_bytes: int = Field(
        default=16_384,
        ge=0,
        description="Bytes of a response body that are kept with the attempt; a longer one is marked as cut.",
    )
    endpoint_concurrency: int = Field(
        default=32, ge=1, description="Requests that one worker process has on the wire to one subscription at a time."
    )
    endpoint_waiting: int = Field(
        default=256,
        ge=0,
        description="Deliveries of one subscription that may wait in a worker process for their turn; more are given back unspent.",
    )
    lease_seconds: int = Field(
        default=90,
        ge=5,
        description="Seconds for which a worker owns what it claimed. A delivery whose worker died is found after that.",
    )
    batch_wait_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Seconds that a delivery task waits for its slowest endpoints before it goes on to the next batch.",
    )
    look_again_seconds: int = Field(
        default=30,
        ge=1,
        description="Seconds after which the sweep looks at a delivery that was rung and not taken; long queues are left alone.",
    )
    near_retry_seconds: int = Field(
        default=60,
        ge=0,
        description="Retries due within so many seconds are rung by Celery's countdown; later ones wait for the sweep.",
    )
    sweep_seconds: float = Field(default=2.0, gt=0, le=60, description="Seconds between two sweeps of celery-beat.")
    trace_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of events whose way is traced with OpenTelemetry: 0 is none, 1 all. Needs requirements-otel.txt; the spans "
        "go where `OTEL_EXPORTER_OTLP_ENDPOINT` says.",
    )
    log_ids: int = Field(
        default=20,
        ge=0,
        description="Ids of each kind that a log line names at most. A batch has up to 100 deliveries: 100 names all, 0 none.",
    )
    circuit_breaker: Literal["on", "dry-run", "off"] = Field(
        default="on",
        description="Whether deliveries to endpoints that fail are held until one that is sent as a probe arrives: `on`; `dry-run` "
        "(what it would do is logged and counted, nothing is held); `off`.",
    )
    circuit_window_minutes: int = Field(
        default=5,
        ge=1,
        le=60,
        description="Minutes over which the breaker counts attempts: longer than a restart of an endpoint takes, shorter than "
        "anybody would want it asked in vain.",
    )
    circuit_failure_percent: int = Field(
        default=80,
        ge=1,
        le=100,
        description="The share of attempts in the window that fail from which on a circuit opens. Below it more arrives by trying "
        "again than by waiting.",
    )
    circuit_least_attempts: int = Field(
        default=20, ge=1, description="Attempts in the window from which on their rate of failures means something."
    )
    circuit_least_unaccepted: int = Field(
        default=10,
        ge=1,
        description="Attempts in the window, none of them accepted, that open a circuit whatever the rate's least: no chance is "
        "left for a coincidence.",
    )
    circuit_probe_seconds: float = Field(
        default=30,
        gt=0,
        description="Seconds from the opening of a circuit to its first probe; after each that fails twice as many.",
    )
    circuit_longest_probe_seconds: float = Field(
        default=600,
        gt=0,
        description="Seconds between two probes at the most: so much later an endpoint is found to be back, at the worst.",
    )
    slow_endpoint_seconds: float = Field(
        default=2.0,
        gt=0,
        description="Seconds that an endpoint's attempts take on average, over the breaker's window, from which on its deliveries go "
        "through the queue `deliveries.slow`; below half of it they come back.",
    )
    retention_days: int = Field(
        default=30, ge=1, description="Days for which events, deliveries and attempts are kept."
    )

    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="What Prometheus sends as `Authorization: Bearer …` to read /metrics; empty: there is no such page.",
    )

    @field_validator("encryption_keys", "allow_cidrs", mode="before")
    @classmethod
    def split_commas(cls, value: Any) -> Any:
        """Lists may be given as text with commas."""
        return split_commas(value)


def hub_settings() -> HubSettings:
    """The settings in force. Raises ImproperlyConfigured that names each wrong setting and what would be right."""
    global _last_parsed  # noqa: PLW0603 - one memory of what was parsed last
    given: HubSettings | dict[str, Any] = getattr(settings, "WEBHOOKHUB", {})
    if isinstance(given, HubSettings):
        return given
    if _last_parsed is None or _last_parsed[0] is not given:
        _last_parsed = (given, _parse(given))
    return _last_parsed[1]


# The setting as it was given, and what it says: parsing takes longer than all else that a batch does with settings.
_last_parsed: tuple[dict[str, Any], HubSettings] | None = None


def _parse(given: dict[str, Any]) -> HubSettings:
    try:
        return HubSettings(**given)
    except ValidationError as error:
        raise ImproperlyConfigured("WEBHOOKHUB: " + "; ".join(describe_problems(error))) from error


def describe_problems(error: ValidationError) -> list[str]:
    """One text for each setting that is wrong: its name, and what would be right."""
    return [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_input=False)
    ]


def split_commas(value: Any) -> Any:
    """The parts of a comma-separated text, without empty ones; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
