"""What does docs/configuration.md say? All settings, read from the code: `python -m scripts.local.configuration_page`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.environment import PREFIX, Environment
from scripts.local.state import CHECKOUT
from webhookhub.conf import HubSettings

PAGE = CHECKOUT / "docs" / "configuration.md"

_HEAD = """\
<!-- Made by `python -m scripts.local.configuration_page` from the code; a test fails where the two differ. -->

# Configuration

The hub's own service reads everything from environment variables, once, when a process starts. A value that is wrong
stops the process with a message that names every wrong variable and what would be right. Lists are written with commas.
A variable that begins with `WEBHOOKHUB_` and is none of these changes nothing: every process says so when it starts, with
the one that may be meant, and so do `manage.py check` and `manage.py hub doctor`.

As apps in your own Django project, the hub reads no environment variables: the settings of the second table are keys
of `WEBHOOKHUB = {...}` in your Django settings, by their names in lower case and without the prefix, such as
`"lease_seconds": 90`.

Of these, a deployment has to set `DATABASE_URL`, `CELERY_BROKER_URL`, `WEBHOOKHUB_SECRET_KEY` and
`WEBHOOKHUB_ENCRYPTION_KEYS`. All processes of one hub need the same values.
"""
_SERVICE = """
## The service: servers, web, logs
"""
_HUB = """
## The hub: events, deliveries, retries

Timeouts, retries and what counts as success are not here: they belong to the delivery profiles, which are rows in the
database ([README](../README.md#delivery-profiles)).
"""
_LOCAL = """
## The commands in `scripts/`, and granian

| variable | default | unit | meaning |
|---|---|---|---|
| `DATABASE_URL`, `CELERY_BROKER_URL` | unset | URL | Set, `scripts/run`, `scripts/test` and `scripts/bench` use that server and start none in its place. |
| `WEBHOOKHUB_STATE` | `~/.local/state/webhookhub/` and a name for the checkout; for root `/var/lib/webhookhub/` | folder | Where `scripts/run` keeps the data of its servers, passwords and logs. |
| `WEBHOOKHUB_PORT` | `8000` | port | Where `scripts/run` and docker-compose.yml have the web server; `scripts/run` takes the next free one. |
| `WEBHOOKHUB_TEST_RABBITMQ_URL` | `amqp://guest:guest@127.0.0.1:5672//` | URL | The RabbitMQ of the tests. Those that need it are skipped where nobody answers. |
| `WEBHOOKHUB_TEST_BROWSER` | unset | `required` | Tests that need Chromium fail where there is none; else they are skipped, and say so. |
| `GRANIAN_HOST`, `GRANIAN_PORT` | `127.0.0.1`, `8000` | address, port | Where the web server listens; granian's own, as all its options. |
"""

_UNITS = {
    "seconds": "seconds",
    "bytes": "bytes",
    "days": "days",
    "minutes": "minutes",
    "percent": "%",
    "attempts": "attempts",
    "unaccepted": "attempts",
    "endpoint_concurrency": "requests",
    "endpoint_waiting": "deliveries",
    "database_url": "URL",
    "celery_broker_url": "URL",
    "base_url": "URL",
    "egress_proxy_url": "URL",
    "allow_cidrs": "list of networks",
    "encryption_keys": "list of keys",
    "allowed_hosts": "list of names",
    "ca_bundle": "path",
}
_BOUND_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def render() -> str:
    """The page as it should be."""
    return "".join([_HEAD, _SERVICE, _table(Environment), _HUB, _table(HubSettings), _LOCAL])


def _table(settings: type[BaseModel]) -> str:
    rows = ["", "| variable | default | unit | meaning |", "|---|---|---|---|", *_rows(settings)]
    return "\n".join(rows) + "\n"


def _rows(settings: type[BaseModel]) -> Iterator[str]:
    schemas = settings.model_json_schema(by_alias=False)["properties"]
    for name, field in settings.model_fields.items():
        variable = field.validation_alias or PREFIX + name.upper()
        meaning = (field.description or "").replace("|", r"\|")
        yield f"| `{variable}` | {_default(field)} | {_unit(name, schemas[name])} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: it has to be set"
    value = field.default
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            text = ",".join(map(str, value))
        case _:
            text = str(value)
    return f"`{text}`" if text else "empty"


def _unit(name: str, schema: dict[str, Any]) -> str:
    """The unit, with its bounds; or the values that may be chosen."""
    if choices := schema.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    unit = _UNITS.get(name) or _UNITS.get(name.rpartition("_")[2], "text")
    bounds = [f"{sign} {schema[key]:g}" for key, sign in _BOUND_SIGNS.items() if key in schema]
    return ", ".join([unit, *bounds])


if __name__ == "__main__":
    PAGE.write_text(render())
