"""What the tests of the REST API call with: clients that hold real keys, of every role, and somebody else's account."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from webhookhub.api_keys import create_api_key
from webhookhub.callers import forget_callers
from webhookhub.models import Account, ApiKey
from webhookhub.roles import Role

ApiOf = Callable[..., "Client"]


class Client(APIClient):  # type: ignore[misc]  # carries no types
    """Speaks JSON without being told, and answers with whatever a stranger would get."""

    default_format = "json"


@pytest.fixture(autouse=True)
def no_callers_known() -> None:
    """Keys are looked up anew: callers are kept in memory for longer than a test lasts."""
    forget_callers()


@pytest.fixture(autouse=True)
def no_static_files(settings: Settings) -> None:
    """Each client loads the middleware anew, and WhiteNoise looks through all static files then."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def api_of(account: Account) -> ApiOf:
    """A client with a key of this role: `api_of(Role.READER)`, or of another account: `api_of(Role.READER, other)`."""

    def make(role: Role | str = Role.ADMINISTRATOR, account: Account | None = account) -> Client:
        owner = None if role == Role.OPERATOR else account
        return with_key(create_api_key(owner, f"a {role}'s", role=Role(role)))

    return make


@pytest.fixture
def api(api_of: ApiOf) -> Client:
    """A client of the account's administrator."""
    return api_of(Role.ADMINISTRATOR)


@pytest.fixture
def operator(api_of: ApiOf) -> Client:
    """A client of whoever runs the hub."""
    return api_of(Role.OPERATOR)


@pytest.fixture
def foreign_account(db: None) -> Account:
    """An account that the others must never see."""
    return Account.objects.create(name="Bob's shop", contact_email="bob@example.com")


def with_key(key: str) -> Client:
    """A client that hands over this key."""
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def make_keys_unused() -> None:
    """The next request costs the most that one can: its key is looked up, and its use is noted."""
    forget_callers()
    ApiKey.objects.update(last_used_at=None)
