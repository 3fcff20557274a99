"""The hub's settings, from a project's own Django settings."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr
from pytest_django import Settings

from webhookhub.conf import HubSettings, hub_settings


def test_a_project_without_settings_has_the_defaults(settings: Settings) -> None:
    del settings.WEBHOOKHUB
    assert hub_settings() == HubSettings()


def test_a_project_sets_what_it_wants_in_a_dictionary(settings: Settings) -> None:
    settings.WEBHOOKHUB = {"lease_seconds": 30, "transport": "requests"}
    assert (hub_settings().lease_seconds, hub_settings().transport) == (30, "requests")


def test_a_change_of_the_dictionary_is_seen_at_once(settings: Settings) -> None:
    settings.WEBHOOKHUB = {"lease_seconds": 30}
    hub_settings()
    settings.WEBHOOKHUB = {"lease_seconds": 31}
    assert hub_settings().lease_seconds == 31


@pytest.mark.parametrize(
    "networks",
    ["10.1.0.0/16, fd00::/8", ["10.1.0.0/16", "fd00::/8"], ("10.1.0.0/16", "fd00::/8"), ",10.1.0.0/16,,fd00::/8,"],
)
def test_a_list_is_a_list_a_tuple_or_text_with_commas(settings: Settings, networks: Any) -> None:
    settings.WEBHOOKHUB = {"allow_cidrs": networks}
    assert hub_settings().allow_cidrs == (IPv4Network("10.1.0.0/16"), IPv6Network("fd00::/8"))


@pytest.mark.parametrize("keys", ["new,old", ["new", "old"]])
def test_the_newest_key_stays_the_first(settings: Settings, keys: Any) -> None:
    settings.WEBHOOKHUB = {"encryption_keys": keys}
    assert hub_settings().encryption_keys == (SecretStr("new"), SecretStr("old"))


@pytest.mark.parametrize("empty", ["", (), ","])
def test_an_empty_list_is_empty(settings: Settings, empty: Any) -> None:
    settings.WEBHOOKHUB = {"allow_cidrs": empty}
    assert hub_settings().allow_cidrs == ()


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("lease_seconds", 4, "greater than or equal to 5"),
        ("lease_seconds", "soon", "valid integer"),
        ("batch_wait_seconds", 0, "greater than 0"),
        ("batch_wait_seconds", 61, "less than or equal to 60"),
        ("event_data_max_bytes", 0, "greater than or equal to 1"),
        ("endpoint_concurrency", 0, "greater than or equal to 1"),
        ("near_retry_seconds", -1, "greater than or equal to 0"),
        ("retention_days", 0, "greater than or equal to 1"),
        ("transport", "urllib", "'curl' or 'requests'"),
        ("allow_cidrs", "10.1.2.3/8", "not a valid IPv. network"),  # has bits beyond its prefix
        ("lease_second", 90, "not permitted"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    settings: Settings, name: str, value: Any, right: str
) -> None:
    settings.WEBHOOKHUB = {name: value}
    with pytest.raises(ImproperlyConfigured, match=rf"^WEBHOOKHUB: {name}.*{right}"):
        hub_settings()


def test_all_that_is_wrong_is_named_at_once(settings: Settings) -> None:
    settings.WEBHOOKHUB = {"lease_seconds": 1, "retention_days": 0, "nonsense": True}
    with pytest.raises(ImproperlyConfigured) as error:
        hub_settings()
    assert all(name in str(error.value) for name in ("lease_seconds", "retention_days", "nonsense"))


def test_a_key_is_not_shown_with_the_settings(settings: Settings) -> None:
    settings.WEBHOOKHUB = {"encryption_keys": "top-secret"}
    assert "top-secret" not in repr(hub_settings())
