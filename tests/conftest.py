"""What every test may use: a hub's settings for tests, and accounts with subscriptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.workers import use_own_broker
from webhookhub.models import Account

use_own_broker()


@pytest.fixture
def account(db: None) -> Account:
    """An account without subscriptions."""
    return Account.objects.create(name="Alice's shop", contact_email="alice@example.com")


@pytest.fixture
def subscribed(account: Account) -> Callable[..., Subscription]:
    """Subscribes a URL of the account's: `subscribed("http://…", event_types=["order.*"])`."""
    return lambda url="http://127.0.0.1:9/", **wanted: subscribe(account, url, **wanted)
