"""Which of a batch may go now under their webhooks' limits, and at which moments? One statement for all of them.

It counts over all workers and brokers: it locks one row for each webhook with limits, and grants what that row has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from deliveries.admit import Admitted
from deliveries.claim import Claim
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED
from deliveries.patience import patiently
from subscriptions.endpoints import Endpoint
from webhookhub.conf import hub_settings

# How far ahead moments are given away: time enough for a message to bring the next deliveries before these have gone.
AHEAD_SECONDS = 1.0
# A request begins so long after its moment at the latest. Those of any second had their moments within 1.1 seconds, so they
# are at most 10 % and one more than the limit.
LATE_SECONDS = 0.1


class Moment(NamedTuple):
    """When a request may begin, on the monotonic clock of this process: from its own moment on, until that is stale."""

    begin: float
    end: float


class Timed(NamedTuple):
    """A delivery that goes at its moment."""

    claim: Claim
    endpoint: Endpoint
    moment: Moment


class Waiting(NamedTuple):
    """A delivery that does not go now: it joins the line of its webhook."""

    claim: Claim
    reason: str
    turn_seconds: float
    """From now until its turn comes, as far as can be told."""


class Grant(NamedTuple):
    """What a webhook's limits have left for the deliveries of a batch: so many may go, the first ones."""

    granted: int
    first_seconds: float
    """From now to the moment of the first one."""
    line_seconds: float
    """From now to the turn of the first one that may not go."""
    reason: str
    """The limit that the others wait for."""
    waited_seconds: float
    """From when the statement came to the database to the moment of the grant: others may have had the row."""
    spent_seconds: float
    """From then to the end of the statement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A batch, sorted by its webhooks' limits."""

    at_once: list[Admitted]
    timed: list[Timed]
    waiting: list[Waiting]


def allow(admitted: Sequence[Admitted], *, most: Callable[[UUID], int]) -> Allowance:
    """Use up what the limits have left, the oldest deliveries first; what has no limit goes at once and costs nothing.

    `most`: how many deliveries of a subscription this process can keep until their moments come.
    """
    allowance = Allowance(at_once=[], timed=[], waiting=[])
    limited: dict[UUID, list[Admitted]] = {}
    for one, endpoint in admitted:
        if endpoint.is_limited:
            limited.setdefault(one.subscription_id, []).append((one, endpoint))
        else:
            allowance.at_once.append((one, endpoint))
    if limited:
        for group in limited.values():
            group.sort(key=_age)
        grants, asked, answered = patiently(partial(_reserve, limited, most))
        for subscription_id, group in limited.items():
            share_out(group, grants[subscription_id], allowance, asked=asked, answered=answered)
    return allowance


def _age(one: Admitted) -> UUID:
    return one[0].delivery_id


def share_out(group: Sequence[Admitted], grant: Grant, allowance: Allowance, *, asked: float, answered: float) -> None:
    """Put the deliveries of one subscription, the oldest first, where the grant lets them go. Pure.

    The grant was made somewhere between `asked` and `answered` on our clock, and the database says how far from either at
    least. A moment begins as if that had been as late as can be, and ends as if it had been as early: what nobody knows
    makes it shorter.
    """
    earliest, latest = asked + grant.waited_seconds, answered - grant.spent_seconds
    rate = group[0][1].rate_limit_per_second
    interval_seconds = 1 / rate if rate else 0.0
    for number, (one, endpoint) in enumerate(group):
        if number >= grant.granted:
            turn_seconds = grant.line_seconds + (number - grant.granted) * interval_seconds
            allowance.waiting.append(Waiting(one, grant.reason, turn_seconds))
        elif rate is None:
            allowance.at_once.append((one, endpoint))
        else:
            seconds = grant.first_seconds + number * interval_seconds
            moment = Moment(begin=latest + seconds, end=earliest + seconds + LATE_SECONDS)
            allowance.timed.append(Timed(one, endpoint, moment))


def place_until(one: Claim) -> float:
    """Until when the claim keeps its place on the wire, in seconds since 1970: as long as its lease lasts.

    It also tells this claim's place from one that a later claim of the same delivery has.
    """
    return one.claimed_at.timestamp() + hub_settings().lease_seconds


def _reserve(
    limited: dict[UUID, list[Admitted]], most: Callable[[UUID], int]
) -> tuple[dict[UUID, Grant], float, float]:
    """Reserve what may go; run twice, it leaves moments unused. Returns also when it was asked and answered, on our clock."""
    wanted = []
    for subscription_id, group in limited.items():
        claim, endpoint = group[0]
        rate = endpoint.rate_limit_per_second
        wanted.append(
            {
                "holder_id": subscription_id,
                "rate": rate,
                "cap": endpoint.concurrency_limit,
                "most": len(group) if rate is None else most(subscription_id),
                "until": place_until(claim),
                "deliveries": [one.delivery_id for one, _ in group],
            }
        )
    parameters: dict[str, Any] = {"wanted": orjson.dumps(wanted).decode(), "ahead_seconds": AHEAD_SECONDS}
    with connection.cursor() as cursor:
        while True:
            asked = time.monotonic()
            cursor.execute(_RESERVE, parameters)
            answered = time.monotonic()
            grants = {holder_id: Grant._make(row) for holder_id, *row in cursor.fetchall()}
            if len(grants) == len(limited):
                return grants, asked, answered
            _make_rows(limited)


def _make_rows(subscription_ids: Iterable[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO webhookhub_limit_state (holder_id, next_free_at, called_until, line_ends_at, places)
               SELECT holder_id, now(), now(), now(), '{}' FROM unnest(%s::uuid[]) AS new (holder_id) ORDER BY holder_id
                   ON CONFLICT (holder_id) DO NOTHING""",
            [list(map(str, subscription_ids))],
        )


# Rows are locked in one order, so that two batches cannot wait for each other, and the clock is read after the last of
# them: what a batch waited for the locks must not make it start in the past. Who is older in line than a delivery goes first,
# so newer ones do not overtake; those that were called are no longer in line.
_RESERVE = f"""
    WITH wanted AS (
        SELECT * FROM json_to_recordset(%(wanted)s)
            AS wanted (holder_id uuid, rate float, cap integer, most integer, until jsonb, deliveries uuid[])
    ), locked AS MATERIALIZED (
        SELECT state.*, rate, cap, most, until, deliveries
          FROM webhookhub_limit_state AS state JOIN wanted USING (holder_id)
         ORDER BY holder_id
           FOR UPDATE OF state
    ), timed AS MATERIALIZED (
        SELECT locked.*, max(clock_timestamp()) OVER () AS now FROM locked
    ), looked AS MATERIALIZED (
        SELECT timed.*, greatest(next_free_at, now) AS first_at,
               (SELECT coalesce(jsonb_object_agg(key, value), jsonb_build_object()) FROM jsonb_each(places)
                 WHERE value::float > extract(epoch FROM now) AND key <> ALL(deliveries::text[])) AS others,
               (SELECT id FROM webhookhub_delivery
                 WHERE subscription_id BETWEEN holder_id AND holder_id AND claimed_at IS NULL
                   AND status = 'pending' AND last_outcome IN ('{RATE_LIMITED}', '{CONCURRENCY_LIMITED}')
                 ORDER BY subscription_id, id LIMIT 1) AS oldest_in_line
          FROM timed
    ), counted AS MATERIALIZED (
        SELECT looked.*,
               (SELECT count(*) FROM unnest(deliveries) AS one (id) WHERE oldest_in_line IS NULL OR id < oldest_in_line)
                   AS their_turn,
               floor((%(ahead_seconds)s - extract(epoch FROM first_at - now)) * rate) + 1 AS moments,
               cap - (SELECT count(*) FROM jsonb_object_keys(others)) AS free_places
          FROM looked
    ), granted AS MATERIALIZED (
        SELECT counted.*, granted, cardinality(deliveries) - granted AS waiting,
               first_at + coalesce(granted / rate, 0) * interval '1 second' AS free_at
          FROM counted
         CROSS JOIN LATERAL (
               SELECT greatest(least(their_turn, most, moments, free_places), 0)::integer
           ) AS least_of_all (granted)
    ), used AS (
        UPDATE webhookhub_limit_state AS state
           SET next_free_at = free_at,
               places = CASE WHEN cap IS NULL THEN jsonb_build_object()
                             ELSE others || (SELECT coalesce(jsonb_object_agg(id, until), jsonb_build_object())
                                               FROM unnest(deliveries[:granted]) AS one (id)) END,
               waiting_at = CASE WHEN waiting > 0 THEN now ELSE state.waiting_at END,
               line_ends_at = greatest(granted.line_ends_at, free_at) + coalesce(waiting / rate, 0) * interval '1 second'
          FROM granted
         WHERE state.holder_id = granted.holder_id
    )
    SELECT holder_id, granted, extract(epoch FROM first_at - now)::float,
           extract(epoch FROM greatest(line_ends_at, free_at) - now)::float,
           CASE WHEN rate IS NULL OR free_places <= granted THEN '{CONCURRENCY_LIMITED}' ELSE '{RATE_LIMITED}' END,
           extract(epoch FROM now - statement_timestamp())::float, extract(epoch FROM clock_timestamp() - now)::float
      FROM granted
"""  # noqa: S608 - only constants of the code are put in
