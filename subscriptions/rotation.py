"""What does a webhook sign with, and how does it change over to another secret while nobody is turned away?"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from subscriptions.errors import LimitError, SigningSecretError, TooManySecretsError
from subscriptions.models import Secret, Subscription
from subscriptions.signing_secrets import SecretKind, generate_secret, parse_secret
from webhookhub import ids
from webhookhub.encryption import decrypt, encrypt

# Each one that still signs adds 47 bytes, a key pair 93, to a header of every request, and somebody has to know them all.
MOST_OLD_SECRETS = 10
DEFAULT_GRACE = timedelta(days=1)
LONGEST_GRACE = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class OldSecret:
    """A secret that still signs, beside a newer one."""

    kind: SecretKind
    created_at: datetime
    expires_at: datetime | None
    """From then on it no longer signs; None where somebody added another without an end to this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningSecrets:
    """All that a subscription signs with."""

    kind: SecretKind
    shown: str
    """What receivers verify the newest one with: the secret itself, or the public key (`whpk_…`) of a key pair."""
    created_at: datetime
    older: tuple[OldSecret, ...]
    """Newest first."""


def add_secret(subscription: Subscription, text: str, *, expires_at: datetime | None = None) -> Secret:
    """Sign with `text` too. Raises SigningSecretError."""
    parse_secret(text)
    return Secret.objects.create(subscription=subscription, encrypted_text=encrypt(text), expires_at=expires_at)


def rotate_secret(
    subscription: Subscription,
    *,
    text: str | None = None,
    kind: SecretKind | None = None,
    grace: timedelta = DEFAULT_GRACE,
) -> SigningSecrets:
    """Sign with a new secret from now on, and for so long with the old ones as well; nothing prolongs the end of an old one.

    Without `text` the secret is made: of this `kind`, or an HMAC secret. Secrets that have ended are deleted. Raises
    SigningSecretError, TooManySecretsError, LimitError, or Subscription.DoesNotExist where it was deleted.
    """
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise LimitError(f"must be from 0 to {LONGEST_GRACE.total_seconds():.0f}", field="grace_seconds")
    new = choose_secret(text, kind)
    parameters: dict[str, Any] = {
        "id": ids.new_id(),
        "subscription_id": subscription.id,
        "encrypted_text": encrypt(new),
        "grace": grace,
        "most": MOST_OLD_SECRETS,
    }
    with transaction.atomic():
        # Two rotations at once come one after the other, so that there is one newest secret.
        Subscription.objects.select_for_update().only("id").get(id=subscription.id)
        with connection.cursor() as cursor:
            cursor.execute(_ROTATE, parameters)
            rows = cursor.fetchall()
        if not rows or rows[0][0] != parameters["id"]:
            raise TooManySecretsError(
                f"{MOST_OLD_SECRETS} old secrets still sign; rotate again when one of them has ended, or without a grace"
            )
        return _secrets([row[1:] for row in rows])


def choose_secret(text: str | None, kind: SecretKind | None) -> str:
    """The secret that was given, or else a new one of this kind, or of HMAC.

    Raises SigningSecretError for one that cannot be used, or is of another kind.
    """
    if text is None:
        return generate_secret(secrets.token_bytes, kind or SecretKind.HMAC)
    found = parse_secret(text).kind
    if kind is not None and found != kind:
        raise SigningSecretError(
            f"is a secret of the type {found}, not {kind}; leave one of the two out", field="secret"
        )
    return text


def read_secrets(subscription: Subscription) -> SigningSecrets:
    """All that it signs with now. Raises EncryptionKeyError, or Secret.DoesNotExist where there is none."""
    live = Q(expires_at=None) | Q(expires_at__gt=Now())
    rows = list(
        subscription.secrets.filter(live)
        .order_by("-created_at")
        .values_list("encrypted_text", "created_at", "expires_at")
    )
    if not rows:
        raise Secret.DoesNotExist
    return _secrets(rows)


def reveal_secret(subscription: Subscription) -> str:
    """What its receiver verifies the newest secret with. Raises as `read_secrets` does."""
    return read_secrets(subscription).shown


def _secrets(rows: list[tuple[str, datetime, datetime | None]]) -> SigningSecrets:
    """Rows of text, creation and end, newest first."""
    newest, *older = [(parse_secret(decrypt(encrypted)), created, end) for encrypted, created, end in rows]
    return SigningSecrets(
        kind=newest[0].kind,
        shown=newest[0].shown,
        created_at=newest[1],
        older=tuple(OldSecret(kind=secret.kind, created_at=created, expires_at=end) for secret, created, end in older),
    )


# The secrets that sign afterwards, newest first, whatever the clock said of whoever made the ones before; without the new
# one, where too many would still sign beside it.
_ROTATE = """
    WITH live AS (
        SELECT id FROM webhookhub_secret
         WHERE subscription_id = %(subscription_id)s AND (expires_at IS NULL OR expires_at > now())
    ), deleted AS (
        DELETE FROM webhookhub_secret WHERE subscription_id = %(subscription_id)s AND expires_at <= now()
    ), old AS (
        UPDATE webhookhub_secret SET expires_at = least(expires_at, now() + %(grace)s)
         WHERE id IN (SELECT id FROM live)
     RETURNING id, encrypted_text, created_at, expires_at
    ), new AS (
        INSERT INTO webhookhub_secret (id, subscription_id, encrypted_text, created_at)
        SELECT %(id)s, %(subscription_id)s, %(encrypted_text)s,
               greatest(now(), (SELECT max(created_at) + interval '1 microsecond' FROM webhookhub_secret
                                 WHERE subscription_id = %(subscription_id)s))
         WHERE %(grace)s = interval '0' OR (SELECT count(*) FROM live) <= %(most)s
     RETURNING id, encrypted_text, created_at, expires_at
    )
    SELECT * FROM new UNION ALL SELECT * FROM old WHERE expires_at > now() ORDER BY created_at DESC
"""
