"""Who waits for a webhook's limit, and who is next? Those that may not go yet stand in line and are called, the oldest first.

A call takes as many out of the line as the limits will have room for, and rings for them; so a long line costs no more than
a short one. Whoever makes room calls: the pacer as moments pass, the recorder as places get free; the sweep calls where a
call was lost.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from deliveries.engine import Flight
from deliveries.fan_out import DELIVER_TASK
from deliveries.limits import AHEAD_SECONDS, Waiting, place_until
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED
from deliveries.patience import patiently
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.ids import array_literal

logger = logging.getLogger("webhookhub.line")

# When a place on the wire will be free nobody can tell. One that waits for it and is not called is looked at after so long.
LONGEST_TURN_SECONDS = 900
# A line that nobody joined for so long, and in which nobody is found, is empty: who joins it does so in two statements.
LINE_EMPTY_SECONDS = 60
# So long a place is kept for a delivery that was called.
CALLED_SECONDS = 5
# Moments are filled in lots of so many seconds: one message each.
LOT_SECONDS = 0.25
DELIVERIES_A_CALL = 1000
LINES_A_SWEEP = 1000


class _Asked(NamedTuple):
    """A subscription whose next ones are to be called."""

    holder_id: UUID
    left: dict[str, float]
    """Deliveries that left their places, each with what tells this place from a later one's."""
    has_joined: bool
    """Whether somebody joined the line just now."""


def join(waiting: Sequence[Waiting]) -> None:
    """Give the claims back to the line: no attempt is spent. One that was cancelled meanwhile stays cancelled."""
    by_claim: dict[datetime, list[Waiting]] = {}
    for one in waiting:
        by_claim.setdefault(one.claim.claimed_at, []).append(one)
    for claimed_at, group in by_claim.items():
        patiently(partial(_join, claimed_at, group))
    # A place that got free since they were refused it was offered to nobody: they did not stand in line yet.
    call_next({one.claim.subscription_id for one in waiting if one.reason == CONCURRENCY_LIMITED})


def _join(claimed_at: datetime, waiting: Sequence[Waiting]) -> None:
    identifiers = [one.claim.delivery_id for one in waiting]
    parameters: dict[str, Any] = {
        "ids": array_literal(identifiers),
        "turns": [one.turn_seconds if one.reason == RATE_LIMITED else LONGEST_TURN_SECONDS for one in waiting],
        "reasons": [one.reason for one in waiting],
        "low": min(identifiers),
        "high": max(identifiers),
        "claimed_at": claimed_at,
        "look_again_seconds": hub_settings().look_again_seconds,
    }
    with connection.cursor() as cursor:
        cursor.execute(_JOIN, parameters)


def rejoin(flights: Sequence[Flight]) -> None:
    """These were let go and did not: they join the line again, and are the first to be called."""
    join([Waiting(claim=flight.claim, reason=RATE_LIMITED, turn_seconds=0.0) for flight in flights])
    _leave(flights, has_joined=True)


def leave_places(flights: Iterable[Flight]) -> None:
    """These are no longer on the wire: who is next in line for their places is called."""
    _leave((flight for flight in flights if flight.endpoint.concurrency_limit is not None), has_joined=False)


def _leave(flights: Iterable[Flight], *, has_joined: bool) -> None:
    asked: dict[UUID, _Asked] = {}
    for claim in (flight.claim for flight in flights):
        one = asked.setdefault(claim.subscription_id, _Asked(claim.subscription_id, {}, has_joined))
        one.left[str(claim.delivery_id)] = place_until(claim)
    _call_for(asked.values())


def call_next(subscription_ids: Iterable[UUID]) -> None:
    """Call who is next in line of these subscriptions, as far as their limits have room."""
    _call_for([_Asked(identifier, {}, has_joined=False) for identifier in subscription_ids])


def _call_for(asked: Collection[_Asked]) -> None:
    if asked:
        rows = [one._asdict() for one in asked]
        patiently(partial(_call, _ASKED, {"asked": orjson.dumps(rows).decode()}))


def call_everywhere() -> int:
    """Call who is next in every line. Returns how many were called."""
    return _call(_EVERY_LINE, {"lines": LINES_A_SWEEP})


def _call(which: str, parameters: Mapping[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            # Where its tables were not analysed yet, compiling the plan takes two seconds, and running it one thousandth.
            "SET LOCAL jit = off;" + _CALL.format(which=which),
            {
                **parameters,
                "ahead_seconds": AHEAD_SECONDS,
                "lot_seconds": LOT_SECONDS,
                "most": DELIVERIES_A_CALL,
                "called_seconds": CALLED_SECONDS,
                "empty_seconds": LINE_EMPTY_SECONDS,
                "look_again_seconds": hub_settings().look_again_seconds,
            },
        )
        called = cursor.fetchall()
    if called:
        doorbell.ring(DELIVER_TASK, sorted(identifier for identifier, _ in called), queue=doorbell.DELIVERIES)
        counts = Counter(str(subscription_id) for _, subscription_id in called)
        logger.info("called", extra={"deliveries": len(called), "subscriptions": len(counts)})
    return len(called)


# Not due before its turn, so that a ring that comes late or twice does not take it out of the line; and looked at soon after
# that, as whatever may be claimed has to be: the worker that claims it may be lost.
_JOIN = """
    UPDATE webhookhub_delivery AS delivery
       SET attempt_count = attempt_count - 1,
           claimed_at = NULL,
           due_at = CASE status WHEN 'pending' THEN now() + turn_seconds * interval '1 second' ELSE due_at END,
           wake_at = CASE status WHEN 'pending' THEN least(
                         now() + (turn_seconds + %(look_again_seconds)s) * interval '1 second', expires_at) END,
           last_outcome = CASE status WHEN 'pending' THEN reason ELSE last_outcome END
      FROM unnest(%(ids)s::uuid[], %(turns)s::float[], %(reasons)s::text[]) AS waiting (id, turn_seconds, reason)
     WHERE delivery.id = waiting.id
       AND delivery.id BETWEEN %(low)s AND %(high)s  -- lets the planner leave out other partitions
       AND delivery.claimed_at = %(claimed_at)s AND status IN ('pending', 'cancelled')
"""

_ASKED = """
        SELECT * FROM json_to_recordset(%(asked)s) AS asked (holder_id uuid, "left" jsonb, has_joined boolean)
"""
# Those that were looked at longest ago come first, whether or not anybody was called.
_EVERY_LINE = """
        SELECT holder_id, jsonb_build_object() AS "left", false AS has_joined FROM webhookhub_limit_state
         WHERE waiting_at IS NOT NULL ORDER BY called_until LIMIT %(lines)s
"""
# The limits are the subscription's as they are now. Where it has none any more, or is gone, the whole line is called.
_CALL = f"""
    WITH asked AS ({{which}}
    ), locked AS MATERIALIZED (
        SELECT holder_id, next_free_at, called_until, places, "left", has_joined, waiting_at,
               nullif(rate_limit_per_second, 0)::float AS rate, concurrency_limit AS cap
          FROM webhookhub_limit_state AS state
          JOIN asked USING (holder_id)
          LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = holder_id
         WHERE waiting_at IS NOT NULL OR has_joined OR places <> jsonb_build_object()
         ORDER BY holder_id
           FOR UPDATE OF state
    ), timed AS MATERIALIZED (
        SELECT locked.*, clock_timestamp() AS now FROM locked
    ), looked AS MATERIALIZED (
        SELECT timed.*, greatest(next_free_at, called_until, now) AS first_at,
               (SELECT coalesce(jsonb_object_agg(key, value), jsonb_build_object()) FROM jsonb_each(places)
                 WHERE value::float > extract(epoch FROM now) AND "left" -> key IS DISTINCT FROM value) AS taken
          FROM timed
    ), counted AS MATERIALIZED (
        SELECT looked.*,
               floor((%(ahead_seconds)s - extract(epoch FROM first_at - now)) * rate) + 1 AS moments,
               cap - (SELECT count(*) FROM jsonb_object_keys(taken)) AS free_places
          FROM looked
    ), room AS MATERIALIZED (
        SELECT counted.*,
               CASE WHEN waiting_at IS NULL AND NOT has_joined OR moments < floor(rate * %(lot_seconds)s) THEN 0
                    ELSE greatest(least(moments, free_places, %(most)s), 0) END::integer AS count
          FROM counted
    ), next AS MATERIALIZED (
        SELECT one.id FROM room
         CROSS JOIN LATERAL (
               SELECT id FROM webhookhub_delivery
                WHERE subscription_id BETWEEN holder_id AND holder_id AND claimed_at IS NULL
                  AND status = 'pending' AND last_outcome IN ('{RATE_LIMITED}', '{CONCURRENCY_LIMITED}')
                ORDER BY subscription_id, id LIMIT room.count FOR UPDATE SKIP LOCKED
           ) AS one
    ), called AS (
        UPDATE webhookhub_delivery AS delivery
           SET due_at = now(), last_outcome = '',
               wake_at = least(now() + %(look_again_seconds)s * interval '1 second', expires_at)
          FROM next
         WHERE delivery.id = next.id
     RETURNING delivery.id, subscription_id
    ), filled AS MATERIALIZED (
        SELECT room.*, found, keeping
          FROM room
         CROSS JOIN LATERAL (
               SELECT count(*), coalesce(jsonb_object_agg(id, extract(epoch FROM now) + %(called_seconds)s), jsonb_build_object())
                 FROM called WHERE subscription_id = holder_id
           ) AS its (found, keeping)
    ), used AS (
        UPDATE webhookhub_limit_state AS state
           SET called_until = CASE WHEN found > 0 THEN first_at + coalesce(found / rate, 0) * interval '1 second'
                                   ELSE greatest(state.called_until, now) END,
               places = CASE WHEN cap IS NULL THEN jsonb_build_object() ELSE taken || keeping END,
               line_ends_at = CASE WHEN found < count THEN now ELSE state.line_ends_at END,
               waiting_at = CASE WHEN has_joined THEN now
                                 WHEN found < count AND its.waiting_at < now - %(empty_seconds)s * interval '1 second'
                                 THEN NULL ELSE its.waiting_at END
          FROM filled AS its
         WHERE state.holder_id = its.holder_id
    )
    SELECT id, subscription_id FROM called
"""  # noqa: S608 - only constants of the code are put in
