"""How does somebody begin, change and stop listening? Plain functions over the rows, for the API, the admin and scripts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from django.db import transaction

from subscriptions.auth import Auth, NoAuth, kind_of, seal
from subscriptions.errors import EntityError, PatternError, UnknownProfileError, UnsuitableUrlError
from subscriptions.models import Profile, Secret, Subscription
from subscriptions.signing_secrets import generate_secret, parse_secret
from webhookhub import doorbell
from webhookhub.encryption import decrypt, encrypt
from webhookhub.models import Account

RELEASE_TASK = "deliveries.release"
LONGEST_URL = 2048
NO_AUTH = NoAuth()

_PATTERN = re.compile(r"\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")


def subscribe(
    account: Account,
    url: str,
    *,
    event_types: Sequence[str] = (),
    entity_type: str = "",
    action: str = "",
    secret: str | None = None,
    profile: str = "standard",
    auth: Auth = NO_AUTH,
    description: str = "",
) -> Subscription:
    """Begin to tell `url` of the account's events: those of these types, or of this (entity type, action), or all.

    `secret` signs the requests; without one it is generated. `auth` is what the requests prove themselves with. Raises
    SubscriptionError or SigningSecretError.
    """
    check_url(url)
    check_patterns(event_types)
    check_entity(entity_type, action)
    if not Profile.objects.filter(name=profile).exists():
        names = ", ".join(Profile.objects.values_list("name", flat=True))
        raise UnknownProfileError(f"there is no delivery profile {profile[:80]!r}; there are {names}")
    wants_everything = not event_types and not entity_type
    with transaction.atomic():
        subscription = Subscription.objects.create(
            account=account,
            url=url,
            event_types=["*"] if wants_everything else list(event_types),
            entity_type=entity_type,
            action=action,
            profile_id=profile,
            auth_kind=kind_of(auth),
            encrypted_credentials=seal(auth),
            description=description,
        )
        add_secret(subscription, secret or generate_secret(secrets.token_bytes))
    return subscription


def add_secret(subscription: Subscription, text: str, *, expires_at: datetime | None = None) -> Secret:
    """Sign with `text` too. Raises SigningSecretError."""
    parse_secret(text)
    return Secret.objects.create(subscription=subscription, encrypted_text=encrypt(text), expires_at=expires_at)


def rotate_secret(subscription: Subscription, *, old_expires_at: datetime, text: str | None = None) -> str:
    """Sign with a new secret from now on, and with the old ones until `old_expires_at`. Returns the new one."""
    new = text or generate_secret(secrets.token_bytes)
    with transaction.atomic():
        subscription.secrets.filter(expires_at=None).update(expires_at=old_expires_at)
        subscription.secrets.filter(expires_at__gt=old_expires_at).update(expires_at=old_expires_at)
        add_secret(subscription, new)
    return new


def reveal_secret(subscription: Subscription) -> str:
    """The newest signing secret, in the clear: for whoever runs the receiver. Raises EncryptionKeyError."""
    return decrypt(subscription.secrets.latest("created_at").encrypted_text)


def set_enabled(subscription: Subscription, enabled: bool) -> None:
    """Stop telling the subscription, or start again: what was held meanwhile and has not expired is then released."""
    with transaction.atomic():
        Subscription.objects.filter(id=subscription.id).update(enabled=enabled)
        subscription.enabled = enabled
        if enabled:
            ring = partial(doorbell.ring, RELEASE_TASK, [subscription.id], queue=doorbell.MAINTENANCE)
            transaction.on_commit(ring, robust=True)


def check_url(url: str) -> None:
    """Raises UnsuitableUrlError, which says what would be right."""
    if len(url) > LONGEST_URL:
        raise UnsuitableUrlError(f"url has {len(url)} characters; at most {LONGEST_URL} are allowed")
    try:
        parts = urlsplit(url)
        suitable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        suitable = False
    if not suitable:
        raise UnsuitableUrlError(f"{url[:200]!r} is not an http or https URL, such as https://example.com/webhooks")


def check_entity(entity_type: str, action: str) -> None:
    """Raises EntityError, which says what would be right."""
    for field, value, longest in (("entity_type", entity_type, 128), ("action", action, 32)):
        if len(value) > longest:
            raise EntityError(f"{field} has {len(value)} characters; at most {longest} are allowed")
    if action and not entity_type:
        raise EntityError(f"action {action!r} needs the entity_type that it is done to, such as product")


def check_patterns(event_types: Sequence[str]) -> None:
    """Raises PatternError, which names the pattern and what would be right."""
    for pattern in event_types:
        if len(pattern) > 128 or not _PATTERN.fullmatch(pattern):
            raise PatternError(
                f"{pattern[:140]!r} is no event type pattern: write `*`, a type such as order.shipped, or order.*"
            )
