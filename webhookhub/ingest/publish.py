"""How is what waits recorded? In one transaction for all of it, and each thing once under its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction

from webhookhub.api.problems import FieldError, Problem, not_found
from webhookhub.catalogue import check_against_schemas
from webhookhub.errors import EventSchemaError
from webhookhub.event_rows import EventRow
from webhookhub.ingest.publication import KEY_HEADER, Item, Publication, locate
from webhookhub.ingest.sink import Unrung, current_sink
from webhookhub.models import Account

# Stands for an item of a partial batch that was refused under its own key.
_REFUSED = UUID(int=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A publication that is committed."""

    results: tuple[UUID | Problem, ...]
    """The id of each item's event; problems only where the publication is partial."""
    is_replayed: bool = False
    """Whether it had been recorded before, under the same key."""


Result = Recorded | Problem
# Of the events that were fanned out as they were inserted.
_Deliveries = dict[UUID, Sequence[UUID]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What became of several publications."""

    results: list[Result]
    """Of each, in their order."""
    unrung: Unrung


def publish(publications: Sequence[Publication]) -> Published:
    """Record the publications: what comes back as Recorded is committed. Nobody is rung for it yet.

    Safe to call again with the same publications where it raised DatabaseError: nothing is recorded twice.
    """
    checked = [_check_schemas(one) for one in publications]
    # A batch with keys may have to be undone as a whole, so it has a transaction of its own.
    together, deliveries = _publish_together(
        [one for one in checked if isinstance(one, Publication) and not _is_keyed_batch(one)]
    )
    in_order, results = iter(together), list[Result]()
    for one in checked:
        match one:
            case Problem():
                results.append(one)
            case Publication() if _is_keyed_batch(one):
                result, its_deliveries = _publish_batch(one)
                deliveries |= its_deliveries
                results.append(result)
            case _:
                results.append(next(in_order))
    return Published(results=results, unrung=_to_ring(results, deliveries))


def _to_ring(results: Sequence[Result], deliveries: _Deliveries) -> Unrung:
    """What these results are the first to tell of."""
    event_ids = [
        event_id
        for result in results
        if isinstance(result, Recorded) and not result.is_replayed
        for event_id in result.results
        if isinstance(event_id, UUID)
    ]
    return Unrung(
        events=[one for one in event_ids if one not in deliveries],
        deliveries=[delivery for one in event_ids for delivery in deliveries.get(one, ())],
    )


def _check_schemas(publication: Publication) -> Publication | Problem:
    """The publication without the items that do not fit their type's schema; the problem where all have to fit."""
    try:
        check_against_schemas(publication.account_id, [item.event for item in publication.good_items])
    except EventSchemaError:
        items = tuple(_check_item(publication.account_id, item) for item in publication.items)
        if not publication.is_partial and (refused := [one for one in items if isinstance(one, Problem)]):
            return refused[0]
        return replace(publication, items=items)
    return publication


def _check_item(account_id: UUID, item: Item | Problem) -> Item | Problem:
    if isinstance(item, Problem):
        return item
    try:
        check_against_schemas(account_id, [item.event])
    except EventSchemaError as error:
        return locate(error, item.path)
    return item


def _is_keyed_batch(publication: Publication) -> bool:
    return publication.is_batch and (
        publication.key is not None or any(item.key is not None for item in publication.good_items)
    )


def _publish_together(publications: Sequence[Publication]) -> tuple[list[Result], _Deliveries]:
    """Single events, with and without keys, and batches without."""
    if not publications:
        return [], {}
    keyed = [_item_key(one.account_id, item) for one in publications for item in one.good_items if item.key is not None]
    with transaction.atomic():
        kept = _keep_keys(keyed) if keyed else {}
        results = [_decide(one, kept) for one in publications]
        rows = [
            (one.account_id, item.row)
            for one, result in zip(publications, results, strict=True)
            if isinstance(result, Recorded) and not result.is_replayed
            for item in one.good_items
        ]
        inserted = current_sink().insert(rows)
    if inserted.events != len(rows):
        existing = _existing_accounts(publications)
        results = [
            result if one.account_id in existing else not_found("account")
            for one, result in zip(publications, results, strict=True)
        ]
    return results, dict(inserted.deliveries)


def _decide(publication: Publication, kept: Mapping[_Place, _Kept]) -> Result:
    """What becomes of a publication that needs no transaction of its own."""
    if publication.is_batch:
        return Recorded(results=tuple(one if isinstance(one, Problem) else one.row.id for one in publication.items))
    (item,) = publication.good_items
    if item.key is None:
        return Recorded(results=(item.row.id,))
    return _decide_item(item, kept.get((publication.account_id, item.key)))


def _decide_item(item: Item, kept: _Kept | None) -> Result:
    if kept is None:
        return not_found("account")
    if kept.event_ids == [item.row.id]:
        return Recorded(results=(item.row.id,))
    if kept.fingerprint != item.fingerprint:
        return _conflict(item.key, item.key_field)
    return Recorded(results=tuple(kept.event_ids), is_replayed=True)


def _conflict(key: str | None, field: str) -> Problem:
    message = f"Something else was published under {key!r}; another content needs another key."
    return Problem(409, "idempotency_conflict", message, errors=[FieldError(field=field, message=message)])


def _publish_batch(publication: Publication) -> tuple[Result, _Deliveries]:
    try:
        with transaction.atomic():
            return _record_batch(publication)
    except Problem as problem:
        return problem, {}


def _record_batch(publication: Publication) -> tuple[Recorded, _Deliveries]:
    """Raises Problem where nothing of the batch may stay."""
    account_id, items = publication.account_id, publication.good_items
    if publication.key is not None:
        planned = [item.row.id for item in items]
        whole = _NewKey(account_id, publication.key, publication.fingerprint, planned)
        before = _keep_keys([whole]).get((account_id, publication.key))
        if before is None:
            raise not_found("account")
        if before.event_ids != planned:
            return _replay(publication, before), {}
    kept = _keep_keys([_item_key(account_id, item) for item in items if item.key is not None])
    results: list[UUID | Problem] = []
    new_rows: list[tuple[UUID, EventRow]] = []
    for item in publication.items:
        decided = _decide_batch_item(item, account_id, kept)
        if isinstance(decided, Problem) and not publication.is_partial:
            raise decided
        if isinstance(item, Item) and decided == item.row.id:
            new_rows.append((account_id, item.row))
        results.append(decided)
    inserted = current_sink().insert(new_rows)
    if inserted.events != len(new_rows):
        raise not_found("account")
    if publication.key is not None:
        final = [_REFUSED if isinstance(one, Problem) else one for one in results]
        _settle_key(account_id, publication.key, final)
    return Recorded(results=tuple(results)), dict(inserted.deliveries)


def _decide_batch_item(item: Item | Problem, account_id: UUID, kept: Mapping[_Place, _Kept]) -> UUID | Problem:
    if isinstance(item, Problem):
        return item
    if item.key is None:
        return item.row.id
    match _decide_item(item, kept.get((account_id, item.key))):
        case Recorded(results=(UUID() as event_id,)):
            return event_id
        case Problem() as problem:
            return problem
        case _:
            return _conflict(item.key, item.key_field)


def _replay(publication: Publication, before: _Kept) -> Recorded:
    if before.fingerprint != publication.fingerprint or len(before.event_ids) != len(publication.items):
        raise _conflict(publication.key, KEY_HEADER)
    results = [
        item if isinstance(item, Problem) else _conflict(item.key, item.key_field) if event_id == _REFUSED else event_id
        for item, event_id in zip(publication.items, before.event_ids, strict=True)
    ]
    return Recorded(results=tuple(results), is_replayed=True)


def _existing_accounts(publications: Sequence[Publication]) -> set[UUID]:
    named = {one.account_id for one in publications}
    return set(Account.objects.filter(id__in=named).values_list("id", flat=True))


# ------------------------------------------------------------------------------------------------ keys
_Place = tuple[UUID, str]


class _NewKey(NamedTuple):
    account_id: UUID
    key: str
    fingerprint: bytes
    event_ids: list[UUID]


class _Kept(NamedTuple):
    """What stands under a key: ours if the ids are, else what somebody recorded before."""

    fingerprint: bytes
    event_ids: list[UUID]


def _item_key(account_id: UUID, item: Item) -> _NewKey:
    assert item.key is not None
    return _NewKey(account_id, item.key, item.fingerprint, [item.row.id])


def _keep_keys(keys: Sequence[_NewKey]) -> dict[_Place, _Kept]:
    """Keep those keys that are new, and read what stands under each. Accounts that do not exist keep none.

    Whoever keeps the same key in another transaction is waited for: of a concurrent pair one finds the other's.
    """
    if not keys:
        return {}
    # In one order for everybody: two transactions that share several keys do not wait for each other.
    ordered = sorted(keys, key=lambda one: (one.account_id, one.key))
    document = orjson.dumps(
        [{**one._asdict(), "fingerprint": "\\x" + one.fingerprint.hex()} for one in ordered]
    ).decode()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [document])
        cursor.execute(_READ, [document])
        return {
            (account_id, key): _Kept(bytes(fingerprint), list(event_ids))
            for account_id, key, fingerprint, event_ids in cursor.fetchall()
        }


def _settle_key(account_id: UUID, key: str, event_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhookhub_idempotency_key SET event_ids = %s::uuid[] WHERE account_id = %s AND key = %s",
            [list(event_ids), account_id, key],
        )


_KEEP = """
    INSERT INTO webhookhub_idempotency_key (account_id, key, fingerprint, event_ids)
    SELECT account_id, key, fingerprint, event_ids
      FROM json_to_recordset(%s) AS new (account_id uuid, key text, fingerprint bytea, event_ids uuid[])
     WHERE EXISTS (SELECT 1 FROM webhookhub_account WHERE id = account_id)
        ON CONFLICT DO NOTHING
"""
_READ = """
    SELECT kept.account_id, kept.key, kept.fingerprint, kept.event_ids
      FROM webhookhub_idempotency_key AS kept
      JOIN json_to_recordset(%s) AS new (account_id uuid, key text) ON new.account_id = kept.account_id AND new.key = kept.key
"""
