"""Administrators with a test client, and rows for them to look at."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from deliveries.models import Delivery
from deliveries.record import record_landings
from subscriptions.models import Subscription
from tests.integration.rows import answered, claim_one, land, make_pending, read_delivery
from webhookhub.api_keys import create_api_key

ClientOf = Callable[..., Client]


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Settings) -> None:
    """Hashing one well takes longer than the rest of a test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def delivery(subscription: Subscription) -> Delivery:
    """A delivery that was attempted once, and everything that is around one."""
    create_api_key(subscription.account, "a key")
    (delivery_id,) = make_pending(subscription)
    record_landings([land(claim_one(delivery_id), answered(500, body=b"<script>"))], rng=Random())
    return read_delivery(delivery_id)


@pytest.fixture
def client_of() -> ClientOf:
    """The client of somebody with these permissions alone: `client_of("view_delivery")`."""

    def make(*permissions: str) -> Client:
        found = Permission.objects.filter(codename__in=permissions)
        assert len(found) == len(permissions)
        user = User.objects.create_user("bob", is_staff=True)
        user.user_permissions.add(*found)
        client = Client()
        client.force_login(user)
        return client

    return make
