"""What does docker-compose.yml say of a service, once its variables are filled in as `docker compose` fills them?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from scripts.local.state import CHECKOUT

FILE = CHECKOUT / "docker-compose.yml"
# ${NAME}, ${NAME:-default}, ${NAME:?what to do}, and $$ for one $.
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<operator>:-|:\?)(?P<rest>[^}]*))?\})")


class VariableMissingError(KeyError):
    """A variable that the file insists on is not set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One service of the file."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    """What its containers are told, the env_file included."""
    health_command: str
    """For a shell; empty where it has none."""
    stop_grace_seconds: float
    waits_for: frozenset[str]
    profiles: tuple[str, ...]
    is_hub: bool
    """Whether it runs the hub's own image."""


def read_services(variables: Mapping[str, str]) -> dict[str, Service]:
    """The services, with `variables` as the .env file. Raises VariableMissingError."""
    file = _fill_in(yaml.safe_load(FILE.read_text()), variables)
    return {name: _service(name, entry, variables) for name, entry in file["services"].items()}


def _service(name: str, entry: dict[str, Any], variables: Mapping[str, str]) -> Service:
    from_file = dict(variables) if entry.get("env_file") == ".env" else {}
    return Service(
        name=name,
        command=tuple(entry.get("command", ())),
        environment=from_file | entry.get("environment", {}),
        health_command=_health_command(entry.get("healthcheck", {})),
        # Ten seconds are Docker's own.
        stop_grace_seconds=float(entry.get("stop_grace_period", "10s").removesuffix("s")),
        waits_for=frozenset(entry.get("depends_on", ())),
        profiles=tuple(entry.get("profiles", ())),
        is_hub=entry["image"] == "webhookhub",
    )


def _health_command(check: dict[str, Any]) -> str:
    kind, *rest = check.get("test", ["NONE"])
    return str(rest[0]) if kind == "CMD-SHELL" else " ".join(rest)


def _fill_in(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _replacement(found, variables), value)
        case list():
            return [_fill_in(part, variables) for part in value]
        case dict():
            return {key: _fill_in(part, variables) for key, part in value.items()}
        case _:
            return value


def _replacement(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, operator, rest = found["name"], found["operator"], found["rest"]
    if name is None:
        return "$"
    if value := variables.get(name):
        return value
    if operator == ":-":
        return str(rest)
    raise VariableMissingError(f"{name}: {rest}")
