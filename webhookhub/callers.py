"""Who is calling? The key of a request, looked up at most every few seconds, and what it may do."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from webhookhub.roles import RIGHTS, Right, Role

# A key that was revoked works no longer than this, in every process; so old may an account's settings be, too.
KEPT_SECONDS = 2.0
# Wrong keys are not kept, so this bounds the keys in use at a time.
MOST_KEPT = 10_000
# `last_used_at` is right to within a minute, and costs a write a minute.
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A key that is valid, and the account it speaks for."""

    key_id: UUID
    role: Role
    account_id: UUID | None
    """None: an operator, who speaks for all."""
    has_webhooks: bool
    """Whether the account's plan includes webhooks; always so for an operator."""
    expires_at: datetime | None

    def may(self, right: Right) -> bool:
        """Whether its role has the right."""
        return right in RIGHTS[self.role]


_lock = threading.Lock()
_known: dict[str, tuple[float, Caller]] = {}
# Moves when all is forgotten: what was read before that is out of date.
_generation = 0


def find_caller(key: str) -> Caller | None:
    """Whose key this is: None where it is unknown, revoked or expired. At most one query in KEPT_SECONDS a key."""
    key_hash = hash_api_key(key)
    generation = _generation
    if (caller := known_caller(key_hash)) is None and (caller := _read_caller(key_hash)) is not None:
        _keep(key_hash, caller, generation)
    return caller


def known_caller(key_hash: str) -> Caller | None:
    """The same from memory alone: None also where it has to be looked up."""
    kept = _known.get(key_hash)
    if kept is None or kept[0] < time.monotonic() or _has_expired(kept[1].expires_at):
        return None
    return kept[1]


def forget_callers() -> None:
    """Look every key up anew: for whoever changed one in this process."""
    global _generation  # noqa: PLW0603 - one memory of callers
    with _lock:
        _generation += 1
        _known.clear()


def _keep(key_hash: str, caller: Caller, generation: int) -> None:
    with _lock:
        if len(_known) > MOST_KEPT:
            _known.clear()
        if generation == _generation:
            _known[key_hash] = (time.monotonic() + KEPT_SECONDS, caller)


def _read_caller(key_hash: str) -> Caller | None:
    """Look the key up, and note that it is used; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"key_hash": key_hash, "noted_seconds": USE_NOTED_EVERY.total_seconds()})
        row = cursor.fetchone()
    if row is None or _has_expired(row[4]):
        return None
    identifier, role, account_id, has_webhooks, expires_at = row
    return Caller(
        key_id=identifier,
        role=Role(role),
        account_id=account_id,
        has_webhooks=account_id is None or bool(has_webhooks),
        expires_at=expires_at,
    )


def _has_expired(expires_at: datetime | None) -> bool:
    return expires_at is not None and expires_at <= timezone.now()


def hash_api_key(key: str) -> str:
    """What is stored of a key. Plain SHA-256 is enough, and fast: 32 random bytes cannot be guessed as passwords can."""
    return hashlib.sha256(key.encode()).hexdigest()


_READ = """
    WITH valid AS (
        SELECT key.id, key.role, key.account_id, account.has_webhooks, key.expires_at
          FROM webhookhub_api_key AS key
          LEFT JOIN webhookhub_account AS account ON account.id = key.account_id
         WHERE key.key_hash = %(key_hash)s AND key.revoked_at IS NULL
           AND (key.expires_at IS NULL OR key.expires_at > now())
    ), noted AS (
        UPDATE webhookhub_api_key AS key
           SET last_used_at = now()
          FROM valid
         WHERE key.id = valid.id
           AND (key.last_used_at IS NULL OR key.last_used_at < now() - %(noted_seconds)s * interval '1 second')
    )
    SELECT * FROM valid
"""
