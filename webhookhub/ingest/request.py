"""Who publishes, for whom, and under which key? What a request says beside its body, for the door and for Django's view alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

from django.db import DatabaseError, close_old_connections

from webhookhub import ids
from webhookhub.api.authentication import read_key, unauthorized
from webhookhub.api.paging import parse_flag
from webhookhub.api.problems import Problem, invalid, not_found, unavailable
from webhookhub.api.views import find_account_id
from webhookhub.callers import KEPT_SECONDS, Caller, find_caller, hash_api_key, known_caller
from webhookhub.errors import BadIdError
from webhookhub.ingest.publication import Publication, read_batch, read_event
from webhookhub.roles import Right

# Only the prefix makes an id ours, as everywhere in the API: many a customer's own ids are UUIDs too.
_ACCOUNT_PREFIX = ids.PREFIXES["account"] + "_"
# Own ids of accounts that are kept in memory, each for as long as a key is.
MOST_KEPT = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestRequest:
    """What a request says beside its body."""

    key: str
    media_type: str
    account: str | None
    """Whose event it is, where an operator says so: `acc_…` or the account's own id."""
    idempotency_key: str | None
    is_batch: bool
    partial: str
    """`true` or `false`, of a batch."""

    @classmethod
    def read(
        cls,
        authorization: str,
        *,
        content_type: str,
        idempotency_key: str | None,
        account: str | None,
        is_batch: bool,
        partial: str,
    ) -> Self:
        """Raises Problem (401) without a key."""
        return cls(
            key=read_key(authorization),
            media_type=content_type.partition(";")[0].strip().lower(),
            account=account,
            idempotency_key=idempotency_key,
            is_batch=is_batch,
            partial=partial,
        )

    def is_partial(self) -> bool:
        """Whether the events that can be recorded shall be, without the others. Raises Problem (422)."""
        return parse_flag("partial", self.partial)

    def check_media_type(self) -> None:
        """Raises Problem (415) for what does not say that it is JSON."""
        if self.media_type != "application/json":
            raise Problem(415, "unsupported_media_type", "The body has to be application/json; say so in Content-Type.")


class Publisher(NamedTuple):
    """Somebody who may publish, and the account whose events those are."""

    caller: Caller
    account_id: UUID


def known_publisher(request: IngestRequest) -> Publisher | None:
    """Who it is, from memory alone; None where that has to be looked up. Raises Problem for who may not publish."""
    caller = known_caller(hash_api_key(request.key))
    if caller is None:
        return None
    _check_right(caller)
    if request.account is None:
        return Publisher(caller, _own_account(caller))
    account_id = _read_account_id(request.account) or _known_uid(request.account)
    return None if account_id is None else Publisher(caller, _check_own(caller, account_id))


def find_publisher(request: IngestRequest) -> Publisher:
    """Who it is, looked up. Raises Problem: 401, 403, 404, or 503 where the database cannot be asked."""
    try:
        close_old_connections()
        caller = find_caller(request.key)
        if caller is None:
            raise unauthorized(request.key)
        _check_right(caller)
        if request.account is None:
            return Publisher(caller, _own_account(caller))
        account_id = _read_account_id(request.account) or find_account_id(request.account)
    except DatabaseError:
        raise unavailable("The database cannot be reached.") from None
    if account_id is None:
        raise not_found("account")
    _keep_uid(request.account, account_id)
    return Publisher(caller, _check_own(caller, account_id))


def read_publication(request: IngestRequest, publisher: Publisher, body: bytes, *, data_max_bytes: int) -> Publication:
    """What it wants to publish. Raises Problem."""
    if request.is_batch:
        return read_batch(
            body,
            account_id=publisher.account_id,
            key=request.idempotency_key,
            is_partial=request.is_partial(),
            data_max_bytes=data_max_bytes,
        )
    return read_event(body, account_id=publisher.account_id, key=request.idempotency_key, data_max_bytes=data_max_bytes)


def check_length(content_length: bytes, limit: int) -> None:
    """Refuse a body by what it says of itself, before any of it is read. Raises Problem (413)."""
    if content_length.isdigit() and int(content_length[:20]) > limit:
        raise too_large(limit)


def too_large(limit: int) -> Problem:
    """The body is not read, or not to its end, so nothing can follow it on the same connection."""
    return Problem(413, "body_too_large", f"The body is larger than {limit:,} bytes.", headers={"Connection": "close"})


def _check_right(caller: Caller) -> None:
    if not caller.may(Right.PUBLISH):
        detail = f"This key's role is {caller.role}; to {Right.PUBLISH.value} takes another."
        raise Problem(403, "role_not_sufficient", detail)


def _own_account(caller: Caller) -> UUID:
    if caller.account_id is None:
        raise invalid("account", "an operator says whose it is: ?account=acc_… or the account's uid")
    return caller.account_id


def _check_own(caller: Caller, account_id: UUID) -> UUID:
    if caller.account_id not in (None, account_id):
        raise not_found("account")
    return account_id


def _read_account_id(named: str) -> UUID | None:
    """The id that `acc_…` is; whether there is such an account is found out when it is written."""
    try:
        return ids.read("account", named) if named.startswith(_ACCOUNT_PREFIX) else None
    except BadIdError:
        return None


_uids: dict[str, tuple[float, UUID]] = {}


def _known_uid(uid: str) -> UUID | None:
    kept = _uids.get(uid)
    return kept[1] if kept is not None and kept[0] >= time.monotonic() else None


def _keep_uid(uid: str, account_id: UUID) -> None:
    if len(_uids) > MOST_KEPT:
        _uids.clear()
    _uids[uid] = (time.monotonic() + KEPT_SECONDS, account_id)
