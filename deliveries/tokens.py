"""Where are access tokens kept? In PostgreSQL, encrypted, one for each webhook with OAuth2 credentials and all workers.

No lock is held while one is fetched: whoever does has written when it began, and the others leave it to them for so long.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, assert_never
from uuid import UUID

from django.db import connection

from deliveries.engine import Landing
from deliveries.patience import patiently
from deliveries.token_request import TIMEOUT_SECONDS, Denied, Granted
from subscriptions.auth import BearerAuth
from webhookhub.encryption import decrypt, encrypt
from webhookhub.errors import EncryptionKeyError
from webhookhub.ids import array_literal

logger = logging.getLogger("webhookhub.tokens")

# Whoever fetches a token has ended by then, or was lost.
LEASE_SECONDS = TIMEOUT_SECONDS + 5.0
# After a token was not to be had. Attempts meanwhile fail without asking: the token endpoint is spared, the log is not.
RETRY_SECONDS = 5.0
# So long a token is used that was fetched because the one before had been turned away: whatever the receiver minds then,
# another token does not mend it.
REJECTED_SECONDS = 60.0
# A token is replaced a tenth of its lifetime before its end, a minute at least, and never in its first half.
REFRESH_RATIO, REFRESH_SECONDS = 0.1, 60.0
# Decrypted tokens that are kept: a bound on memory, and those in use come back at once.
MOST_KEPT = 1000

_UNAUTHORIZED = 401


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedToken(BearerAuth):
    """An access token. `fetched_at` tells it from those before and after it."""

    fetched_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """There is a token."""

    token: FetchedToken
    is_due: bool
    """Whether the next one should be fetched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """There is none, or it has ended."""

    is_asked: bool
    """Whether somebody fetches one now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failing:
    """There is none, and a moment ago none was to be had."""

    reason: str


TokenState = Ready | Missing | Failing
# By subscription: the last token that was decrypted here.
_tokens: dict[UUID, FetchedToken] = {}


def load_tokens(subscription_ids: Iterable[UUID]) -> dict[UUID, TokenState]:
    """How it stands with the tokens of these subscriptions; those that never had one are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, {"ids": array_literal(subscription_ids), "lease_seconds": LEASE_SECONDS})
        return {row[0]: _state(*row) for row in cursor.fetchall()}


def _state(
    subscription_id: UUID,
    encrypted_token: str,
    fetched_at: datetime,
    is_valid: bool,
    is_due: bool,
    is_asked: bool,
    error: str,
) -> TokenState:
    if is_valid:
        try:
            return Ready(token=_decrypted(subscription_id, encrypted_token, fetched_at), is_due=is_due)
        except EncryptionKeyError as refusal:
            # A worker with other keys stored it. Others of the batch must not fail with this one, and another token may do.
            extra = {"subscription": str(subscription_id), "reason": str(refusal)[:200]}
            logger.error("token not readable", extra=extra)
            _reject([(subscription_id, fetched_at)])
            return Failing(reason="the stored one cannot be read")
    return Failing(reason=error) if error else Missing(is_asked=is_asked)


def _decrypted(subscription_id: UUID, encrypted_token: str, fetched_at: datetime) -> FetchedToken:
    known = _tokens.get(subscription_id)
    if known is None or known.fetched_at != fetched_at:
        if len(_tokens) > MOST_KEPT:
            _tokens.clear()
        known = _tokens[subscription_id] = FetchedToken(token=decrypt(encrypted_token), fetched_at=fetched_at)
    return known


def begin_fetch(subscription_id: UUID, version: int) -> datetime | None:
    """Take it on us to fetch a token with the credentials of this version, until the lease ends.

    Returns what the result has to be handed in with; None where somebody else fetches one, or just failed to, where a good
    one is there, or the subscription has changed since.
    """
    parameters: dict[str, Any] = {"id": subscription_id, "version": version, "lease_seconds": LEASE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN_FETCH, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def end_fetch(subscription_id: UUID, asked_at: datetime, result: Granted | Denied | None) -> bool:
    """Hand in what came of a fetch; None: it was given up. False where the lease had ended, or the credentials have changed:
    then nothing is taken.
    """
    parameters: dict[str, Any] = {"id": subscription_id, "asked_at": asked_at}
    match result:
        case Granted(token=token, lifetime_seconds=lifetime_seconds):
            statement = _STORE_GRANT
            parameters |= {"encrypted_token": encrypt(token), "lifetime_seconds": lifetime_seconds}
            parameters["used_seconds"] = None if lifetime_seconds is None else _used_seconds(lifetime_seconds)
        case Denied(reason=reason):
            statement = _STORE_DENIAL
            parameters |= {"error": reason[:300], "retry_seconds": RETRY_SECONDS}
        case None:
            statement = _GIVE_UP
        case _:
            assert_never(result)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return bool(cursor.rowcount)


def _used_seconds(lifetime_seconds: float) -> float:
    """How long a token is used before the next one is fetched."""
    return lifetime_seconds - min(max(lifetime_seconds * REFRESH_RATIO, REFRESH_SECONDS), lifetime_seconds / 2)


def reject_tokens(landings: Iterable[Landing]) -> None:
    """Use no longer what a receiver answered with 401: the next attempt has another token, in every process."""
    rejected = {
        (landing.flight.claim.subscription_id, landing.flight.endpoint.auth.fetched_at)
        for landing in landings
        if landing.result.status_code == _UNAUTHORIZED and isinstance(landing.flight.endpoint.auth, FetchedToken)
    }
    if rejected:
        patiently(partial(_reject, rejected))


def _reject(rejected: Iterable[tuple[UUID, datetime]]) -> None:
    with connection.cursor() as cursor:
        for subscription_id, fetched_at in rejected:
            parameters: dict[str, Any] = {"id": subscription_id, "fetched_at": fetched_at}
            cursor.execute(_REJECT, parameters | {"rejected_seconds": REJECTED_SECONDS})


_LOAD = """
    SELECT subscription_id, encrypted_token, fetched_at,
           encrypted_token <> '' AND (expires_at IS NULL OR now() < expires_at),
           coalesce(refresh_at <= now(), false) AND NOT is_asked AND NOT is_failing,
           is_asked,
           CASE WHEN is_failing THEN error ELSE '' END
      FROM webhookhub_access_token
     CROSS JOIN LATERAL (
           SELECT coalesce(now() < asked_at + %(lease_seconds)s * interval '1 second', false),
                  coalesce(now() < retry_at, false)
       ) AS its (is_asked, is_failing)
     WHERE subscription_id = ANY(%(ids)s::uuid[])
"""

_BEGIN_FETCH = """
    INSERT INTO webhookhub_access_token AS token (subscription_id, asked_at, encrypted_token, error)
    SELECT id, clock_timestamp(), '', '' FROM webhookhub_subscription WHERE id = %(id)s AND version = %(version)s
        ON CONFLICT (subscription_id) DO UPDATE
       SET asked_at = excluded.asked_at
     WHERE (token.asked_at IS NULL OR token.asked_at + %(lease_seconds)s * interval '1 second' <= now())
       AND (token.retry_at IS NULL OR token.retry_at <= now())
       AND (token.encrypted_token = '' OR token.refresh_at <= now() OR token.expires_at <= now())
 RETURNING asked_at
"""

_STORE_GRANT = """
    UPDATE webhookhub_access_token
       SET encrypted_token = %(encrypted_token)s, fetched_at = clock_timestamp(),
           expires_at = asked_at + %(lifetime_seconds)s * interval '1 second',
           refresh_at = asked_at + %(used_seconds)s * interval '1 second',
           asked_at = NULL, error = '', retry_at = NULL
     WHERE subscription_id = %(id)s AND asked_at = %(asked_at)s
"""

_STORE_DENIAL = """
    UPDATE webhookhub_access_token
       SET asked_at = NULL, error = %(error)s, retry_at = now() + %(retry_seconds)s * interval '1 second'
     WHERE subscription_id = %(id)s AND asked_at = %(asked_at)s
"""

_GIVE_UP = """
    UPDATE webhookhub_access_token SET asked_at = NULL WHERE subscription_id = %(id)s AND asked_at = %(asked_at)s
"""

_REJECT = """
    UPDATE webhookhub_access_token
       SET encrypted_token = '', rejected_at = now()
     WHERE subscription_id = %(id)s AND fetched_at = %(fetched_at)s AND encrypted_token <> ''
       AND (rejected_at IS NULL OR rejected_at + %(rejected_seconds)s * interval '1 second' <= now())
"""
