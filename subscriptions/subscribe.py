"""How does somebody begin, change and stop listening? Plain functions over the rows, for the API, the admin and scripts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from subscriptions.auth import NO_AUTH, Auth
from subscriptions.builtin_profiles import DEFAULT_PROFILE
from subscriptions.errors import UnknownProfileError
from subscriptions.models import Circuit, CircuitState, Profile, Subscription
from subscriptions.overrides import apply_overrides
from subscriptions.rotation import add_secret
from subscriptions.signing_secrets import generate_secret, parse_secret
from subscriptions.terms import Terms, read_terms, settle, to_columns
from webhookhub import doorbell
from webhookhub.errors import ConflictError, UnknownAccountError, WebhookHubError
from webhookhub.models import Account

RELEASE_TASK = "deliveries.release"


def subscribe(
    account: Account,
    url: str,
    *,
    event_types: Sequence[str] = (),
    entity_type: str = "",
    action: str = "",
    secret: str | None = None,
    profile: str = DEFAULT_PROFILE.name,
    auth: Auth = NO_AUTH,
    description: str = "",
) -> Subscription:
    """Begin to tell `url` of the account's events: those of these types, or of this (entity type, action), or all.

    `secret` signs the requests; without one it is generated. `auth` is what the requests prove themselves with. Raises
    SubscriptionError. `create_subscription` knows all else that can be agreed on.
    """
    terms = Terms(
        url=url,
        event_types=event_types,
        entity_type=entity_type,
        action=action,
        profile=profile,
        auth=auth,
        description=description,
    )
    return create_subscription(account.id, terms, secret=secret)


def create_subscription(account_id: UUID, terms: Terms, *, secret: str | None = None) -> Subscription:
    """A new subscription of the account on these terms. `secret` signs its requests; without one it is generated.

    Raises SubscriptionError, BadUidError, ConflictError, or UnknownAccountError.
    """
    terms = settle(terms)
    if secret is not None:
        parse_secret(secret)
    # Every hub has the default profile: a migration makes it.
    if terms.profile != DEFAULT_PROFILE.name or terms.overrides:
        _check_profile(terms)
    with _naming_what_stands_against_it(), transaction.atomic():
        subscription = Subscription.objects.create(account_id=account_id, **to_columns(terms))
        add_secret(subscription, secret or generate_secret(secrets.token_bytes))
    return subscription


def change_subscription(subscription: Subscription, change: Callable[[Terms], Terms]) -> Subscription:
    """Agree on something else: `change` is given the terms as they are, and returns those that shall be.

    It is called again where somebody else was faster. What was held while the subscription was disabled or paused is released
    when it takes deliveries again. Raises SubscriptionError, BadUidError, ConflictError, or Subscription.DoesNotExist where it was
    deleted meanwhile.
    """
    while True:
        before = read_terms(subscription)
        terms = settle(change(before), before=before)
        if (terms.profile, terms.overrides) != (before.profile, before.overrides):
            _check_profile(terms)
        if _write(subscription, terms, before):
            return subscription
        subscription = Subscription.objects.get(id=subscription.id)


def _write(subscription: Subscription, terms: Terms, before: Terms) -> bool:
    """Whether the row was as we know it, and now is as the terms say."""
    columns = to_columns(terms) | {"updated_at": timezone.now()}
    with _naming_what_stands_against_it(), transaction.atomic():
        # The version moves with every change of the row: whoever changed it since it was read got there first.
        as_known = Subscription.objects.filter(id=subscription.id, version=subscription.version)
        if not as_known.update(**columns):
            return False
        if terms.takes_deliveries and not before.takes_deliveries:
            _release_on_commit(subscription.id)
        if (terms.url, terms.auth, terms.headers) != (before.url, before.auth, before.headers):
            # Whatever its endpoint failed by may be mended.
            Circuit.objects.filter(subscription_id=subscription.id, state=CircuitState.OPEN).update(probe_at=Now())
    for name, value in columns.items():
        setattr(subscription, name, value)
    # As the database's trigger has done.
    subscription.version += 1
    return True


def _check_profile(terms: Terms) -> None:
    """Raises UnknownProfileError, or OverridesError where its rules and the overrides contradict each other."""
    profile = Profile.objects.filter(name=terms.profile).first()
    if profile is None:
        names = ", ".join(Profile.objects.values_list("name", flat=True))
        raise UnknownProfileError(f"there is no delivery profile {terms.profile[:80]!r}; there are {names}")
    if terms.overrides:
        apply_overrides(profile, terms.overrides)


@contextmanager
def _naming_what_stands_against_it() -> Iterator[None]:
    """Raises the error that a broken constraint means: only the database knows, when two come at once."""
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        for part, objection in _OBJECTIONS.items():
            if part in constraint:
                raise objection() from None
        raise


# By parts of the constraints' names.
_OBJECTIONS: dict[str, Callable[[], WebhookHubError]] = {
    "subscription_uid": partial(
        ConflictError, "another webhook of the account has this uid", field="uid", code="uid_taken"
    ),
    "subscription_entity_action": partial(
        ConflictError,
        "another webhook of the account has this entity type and action",
        field="entity_type",
        code="pair_taken",
    ),
    "_account_id_": partial(UnknownAccountError, "there is no such account"),
    "_profile_id_": partial(UnknownProfileError, "there is no such delivery profile"),
}


def delete_subscription(subscription: Subscription) -> None:
    """Stop telling it for good. What is outstanding is cancelled when its turn comes; its log stays."""
    with transaction.atomic():
        identifier = subscription.id
        subscription.delete()
        # What was held has no turn of its own.
        _release_on_commit(identifier)


def set_enabled(subscription: Subscription, enabled: bool) -> None:
    """Stop telling the subscription, or start again: what was held meanwhile and has not expired is then released."""
    with transaction.atomic():
        Subscription.objects.filter(id=subscription.id).update(enabled=enabled)
        subscription.enabled = enabled
        if subscription.takes_deliveries:
            _release_on_commit(subscription.id)


def pause(subscription: Subscription) -> None:
    """Hold what is on its way to the subscription, and what will be: nothing is lost, but by its expiry."""
    if subscription.paused_at is None:
        subscription.paused_at = timezone.now()
        Subscription.objects.filter(id=subscription.id, paused_at=None).update(paused_at=subscription.paused_at)


def resume(subscription: Subscription) -> None:
    """Let go what was held, the oldest first, and what comes."""
    with transaction.atomic():
        Subscription.objects.filter(id=subscription.id).update(paused_at=None)
        subscription.paused_at = None
        if subscription.takes_deliveries:
            _release_on_commit(subscription.id)


def _release_on_commit(subscription_id: UUID) -> None:
    doorbell.ring_on_commit(RELEASE_TASK, [subscription_id], queue=doorbell.MAINTENANCE)
