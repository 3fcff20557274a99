"""What a deployment's environment variables mean."""

from __future__ import annotations

import os
from ipaddress import IPv4Network

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import PREFIX, Environment, read_environment, unknown_variables
from webhookhub.conf import HubSettings


@pytest.fixture(autouse=True)
def _only_what_the_test_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("WEBHOOKHUB_") or name in ("DATABASE_URL", "CELERY_BROKER_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WEBHOOKHUB_SECRET_KEY", "the one that has no default")


def test_nothing_starts_without_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOKHUB_SECRET_KEY")
    with pytest.raises(ImproperlyConfigured, match=r"secret_key.*required"):
        read_environment()


def test_an_environment_with_a_secret_key_alone_gives_the_defaults() -> None:
    service, hub = read_environment()
    assert service.database_url.get_secret_value() == "postgres://postgres@127.0.0.1:5432/webhookhub"
    assert hub.model_dump() == HubSettings().model_dump()


@pytest.mark.parametrize("name", sorted(HubSettings.model_fields))
def test_every_setting_of_the_hub_can_be_set_in_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    special = {
        "transport": "requests",
        "circuit_breaker": "off",
        "trace_share": "0.5",
        "allow_cidrs": "10.0.0.0/8",
        "request_max_bytes": "4096",
    }
    text = special.get(name, "true" if HubSettings.model_fields[name].default is False else "7")
    monkeypatch.setenv(f"WEBHOOKHUB_{name.upper()}", text)
    _, hub = read_environment()
    assert getattr(hub, name) != HubSettings.model_fields[name].default


@pytest.mark.parametrize("name", sorted({*Environment.model_fields, *HubSettings.model_fields}))
def test_every_setting_says_what_it_is(name: str) -> None:
    field = {**Environment.model_fields, **HubSettings.model_fields}[name]
    assert field.description
    assert field.description.endswith((".", "`"))


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("DATABASE_URL", "postgres://u:p@db/x", "database_url", "postgres://u:p@db/x"),
        (
            "WEBHOOKHUB_ALLOWED_HOSTS",
            "hub.example, www.hub.example",
            "allowed_hosts",
            ("hub.example", "www.hub.example"),
        ),
        ("WEBHOOKHUB_ALLOWED_HOSTS", "", "allowed_hosts", ()),
        ("WEBHOOKHUB_HTTPS", "1", "https", True),
        ("WEBHOOKHUB_HTTPS", "false", "https", False),
    ],
)
def test_a_variable_is_read_as_what_it_is(
    variable: str, text: str, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    found = getattr(read_environment()[0], name)
    assert (found.get_secret_value() if name == "database_url" else found) == value


def test_networks_are_read_from_text_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOKHUB_ALLOW_CIDRS", "127.0.0.0/8,10.0.0.0/8")
    assert read_environment()[1].allow_cidrs == (IPv4Network("127.0.0.0/8"), IPv4Network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("variable", "text", "right"),
    [
        ("WEBHOOKHUB_LOG_FORMAT", "xml", "'json' or 'console'"),
        ("WEBHOOKHUB_HTTPS", "maybe", "valid boolean"),
        ("WEBHOOKHUB_LEASE_SECONDS", "a while", "valid integer"),
        ("WEBHOOKHUB_LEASE_SECONDS", "", "valid integer"),
        ("WEBHOOKHUB_LEASE_SECONDS", "1", "greater than or equal to 5"),
        ("WEBHOOKHUB_ALLOW_CIDRS", "127.0.0.0/8,home", "not a valid IPv. network"),
        ("WEBHOOKHUB_TRANSPORT", "CURL", "'curl' or 'requests'"),
    ],
)
def test_a_wrong_variable_is_named_with_what_would_be_right(
    variable: str, text: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ImproperlyConfigured, match=rf"{variable.removeprefix('WEBHOOKHUB_').lower()}.*{right}"):
        read_environment()


def test_the_wrong_variables_of_both_halves_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOKHUB_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("WEBHOOKHUB_RETENTION_DAYS", "0")
    with pytest.raises(ImproperlyConfigured, match=r"log_level.*retention_days"):
        read_environment()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("RETENTION_DAY", "WEBHOOKHUB_RETENTION_DAYS"),
        ("LEASE", "WEBHOOKHUB_LEASE_SECONDS"),
        ("sweep_second", "WEBHOOKHUB_SWEEP_SECONDS"),
        ("DATABASE_URL", "DATABASE_URL"),
        ("XYZZY", ""),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_may_be_meant(given: str, meant: str) -> None:
    assert unknown_variables([PREFIX + given]) == {PREFIX + given.upper(): meant}


@pytest.mark.parametrize("name", ["RETENTION_DAYS", "log_format", "STATE", "PORT_8000_TCP"])
def test_what_is_a_setting_or_somebody_else_s_is_not_misspelt(name: str) -> None:
    assert unknown_variables([PREFIX + name, "DATABASE_URL", "PATH"]) == {}


def test_no_secret_is_shown_with_the_settings_or_with_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hush@db/x")
    monkeypatch.setenv("WEBHOOKHUB_SECRET_KEY", "hush")
    monkeypatch.setenv("WEBHOOKHUB_ENCRYPTION_KEYS", "hush")
    assert "hush" not in repr(read_environment())
    monkeypatch.setenv("WEBHOOKHUB_RETENTION_DAYS", "0")
    with pytest.raises(ImproperlyConfigured) as error:
        read_environment()
    assert "hush" not in str(error.value)
