"""How does a program prove which account it speaks for? With an API key that is shown once; its SHA-256 is stored."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from webhookhub.callers import forget_callers, hash_api_key
from webhookhub.errors import ApiKeyError
from webhookhub.models import Account, ApiKey
from webhookhub.roles import Role

# Says what it is to whoever finds one, secret scanners included.
PREFIX = "whk_"
KEY_BYTES = 32
LONGEST_NAME = 200
# Enough to tell an account's keys apart, and 28 bytes of the key stay unknown.
SHOWN_CHARACTERS = len(PREFIX) + 8


def create_api_key(
    account: Account | None, name: str, *, role: Role = Role.ADMINISTRATOR, expires_at: datetime | None = None
) -> str:
    """A new key: `whk_` and 64 hexadecimal digits. It is nowhere to be had afterwards. Raises ApiKeyError.

    `account` is whom it speaks for: None for an operator's, and for no other.
    """
    key = generate_api_key()
    store_api_key(account, name, key, role=role, expires_at=expires_at)
    return key


def generate_api_key() -> str:
    """A key that belongs to nobody yet."""
    return PREFIX + secrets.token_hex(KEY_BYTES)


def store_api_key(
    account: Account | None,
    name: str,
    key: str,
    *,
    role: Role = Role.ADMINISTRATOR,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Let a key that was drawn elsewhere speak for the account. Raises ApiKeyError, and IntegrityError where it speaks
    for one already.
    """
    check_api_key(account, name, role=role, expires_at=expires_at)
    row = ApiKey(account=account, name=name, role=role, expires_at=expires_at)
    save_as(row, key)
    return row


def check_api_key(account: Account | None, name: str, *, role: str, expires_at: datetime | None) -> None:
    """Raises ApiKeyError, which says what would be right, where there can be no such key."""
    if not 0 < len(name) <= LONGEST_NAME:
        raise ApiKeyError(f"a name takes 1 to {LONGEST_NAME} characters", field="name")
    if (account is None) is not (role == Role.OPERATOR):
        raise ApiKeyError("an operator's key speaks for no account, and every other key for one", field="role")
    if expires_at is not None and expires_at <= timezone.now():
        raise ApiKeyError("the key's end lies in the past; name a moment to come, or none", field="expires_at")


def save_as(row: ApiKey, key: str) -> None:
    """Save a new row as the one that this key finds."""
    row.prefix = key[:SHOWN_CHARACTERS]
    row.key_hash = hash_api_key(key)
    row.save(force_insert=True)


def revoke_api_key(key: ApiKey) -> None:
    """Let the key open nothing any more: at once in this process, within `callers.KEPT_SECONDS` in others.

    One that was revoked before stays as it is.
    """
    ApiKey.objects.filter(id=key.id, revoked_at=None).update(revoked_at=timezone.now())
    key.refresh_from_db(fields=["revoked_at"])
    # Not earlier: a request in between would read the key as it was.
    transaction.on_commit(forget_callers)
