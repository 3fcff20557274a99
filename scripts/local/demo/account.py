"""Who is in the demo? A shop with an API key and five subscriptions, and an administrator who may see all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.forms.models import model_to_dict
from django.utils import timezone

from scripts.local.receiver.endpoints import Agreement, EndpointName
from subscriptions.auth import Auth, HeaderAuth, NoAuth, kind_of, seal
from subscriptions.builtin_profiles import CRM, ENTITY_CHANGE, STANDARD, TRANSACTION
from subscriptions.models import Profile, Subscription
from subscriptions.rotation import add_secret
from subscriptions.subscribe import set_enabled, subscribe
from webhookhub.api_keys import store_api_key
from webhookhub.callers import hash_api_key
from webhookhub.models import Account

ACCOUNT_NAME = "Demo shop"
CONTACT_EMAIL = "webmaster@shop.example"
API_KEY_NAME = "demo"
DEMO_PROFILE = "demo"
# Short enough to be watched; the rest of the schedule is the standard one.
FIRST_WAITS_SECONDS = (1.0, 2.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """What an endpoint of the demo wants to hear, and how."""

    profile: str
    event_types: tuple[str, ...] = ()
    entity_type: str = ""
    action: str = ""


INTERESTS: Mapping[EndpointName, Interest] = {
    EndpointName.ORDERS: Interest(profile=STANDARD.name, event_types=("order.*",)),
    EndpointName.TRANSACTIONS: Interest(profile=TRANSACTION.name, event_types=("transaction.*",)),
    EndpointName.ENTITIES: Interest(profile=ENTITY_CHANGE.name, entity_type="product", action="UPDATE"),
    EndpointName.CRM: Interest(profile=CRM.name, event_types=("form_submission", "payment_status_changed")),
    EndpointName.FLAKY: Interest(profile=DEMO_PROFILE, event_types=("order.shipped",)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Administrator:
    """Who may see everything in the admin."""

    name: str
    password: str = field(repr=False)


def prepare(
    *,
    receiver_url: str,
    agreements: Mapping[EndpointName, Agreement],
    api_key: str,
    administrator: Administrator,
) -> Account:
    """Make what the demo needs, or put it back where somebody changed it. What was delivered before stays."""
    with transaction.atomic():
        account = find_account() or Account.objects.create(name=ACCOUNT_NAME, contact_email=CONTACT_EMAIL)
        _make_demo_profile()
        for name, interest in INTERESTS.items():
            _make_subscription(account, name, interest, url=f"{receiver_url}/{name}", agreement=agreements[name])
        _make_api_key(account, api_key)
        _make_administrator(administrator)
    return account


def find_account() -> Account | None:
    """The demo's account: the oldest of its name."""
    return Account.objects.filter(name=ACCOUNT_NAME).order_by("created_at").first()


def find_subscription(account: Account, name: EndpointName) -> Subscription | None:
    """The demo's subscription for this endpoint; it is known by its description."""
    return account.subscriptions.filter(description=_describe(name)).order_by("created_at").first()


def _describe(name: EndpointName) -> str:
    return f"Demo: {name}"


def _make_subscription(
    account: Account, name: EndpointName, interest: Interest, *, url: str, agreement: Agreement
) -> None:
    wanted: dict[str, Any] = {
        "event_types": list(interest.event_types),
        "entity_type": interest.entity_type,
        "action": interest.action,
    }
    auth: Auth = (
        HeaderAuth(name="Authorization", value=agreement.authorization) if agreement.authorization else NoAuth()
    )
    subscription = find_subscription(account, name)
    if subscription is None:
        subscribe(
            account,
            url,
            **wanted,
            profile=interest.profile,
            secret=agreement.signing_secret,
            auth=auth,
            description=_describe(name),
        )
        return
    account.subscriptions.filter(id=subscription.id).update(
        url=url, **wanted, profile_id=interest.profile, auth_kind=kind_of(auth), encrypted_credentials=seal(auth)
    )
    # The receiver's secrets lie in the state folder, which may be a new one beside an old database.
    subscription.secrets.all().delete()
    add_secret(subscription, agreement.signing_secret)
    set_enabled(subscription, True)


def _make_demo_profile() -> None:
    """A copy of the standard profile whose first retries come within seconds."""
    copied = model_to_dict(Profile.objects.get(name=STANDARD.name), exclude=["name"])
    copied["description"] = "As standard, with two quick retries first, so that a retry can be watched."
    copied["intervals_seconds"] = [*FIRST_WAITS_SECONDS, *copied["intervals_seconds"]]
    Profile.objects.update_or_create(name=DEMO_PROFILE, defaults=copied)


def _make_api_key(account: Account, key: str) -> None:
    others = account.api_keys.filter(name=API_KEY_NAME, revoked_at=None).exclude(key_hash=hash_api_key(key))
    others.update(revoked_at=timezone.now())
    if not account.api_keys.filter(key_hash=hash_api_key(key)).exists():
        store_api_key(account, API_KEY_NAME, key)


def _make_administrator(administrator: Administrator) -> None:
    user, _ = get_user_model().objects.get_or_create(username=administrator.name)
    if not user.check_password(administrator.password):
        user.set_password(administrator.password)
    user.is_active = user.is_staff = user.is_superuser = True
    user.save()
