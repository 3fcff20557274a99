"""What became of the attempts? Attempts inserted and deliveries moved on, in one statement for all that landed together."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, assert_never
from uuid import UUID

import orjson
from django.db import DataError, connection

from deliveries.claim import Claim
from deliveries.engine import Landing
from deliveries.fan_out import TRIGGER
from deliveries.models import TEST_TRIGGER, Status
from deliveries.outcome import Outcome, classify
from deliveries.patience import patiently
from deliveries.schedule import Decision, Done, GiveUp, RetryAt, schedule
from deliveries.tokens import reject_tokens
from deliveries.traces import trace_attempt
from deliveries.transport import Answer, NoAnswer, Result
from webhookhub import doorbell
from webhookhub.conf import HubSettings, hub_settings
from webhookhub.ids import attempt_id
from webhookhub.logged_ids import logged_ids
from webhookhub.tracing import is_on

logger = logging.getLogger("webhookhub.record")

_ERROR_MAX_CHARACTERS = 500


class Verdict(NamedTuple):
    """An attempt that is over, and what follows from it."""

    delivery_id: UUID
    attempt_number: int
    claimed_at: datetime
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
    decision: Decision
    result: Result | None
    """None where nobody knows: the worker was lost."""
    latency_seconds: float | None = None
    """From the event's record to a first attempt; None for others, and where the event was replayed."""


class NearRetry(NamedTuple):
    """A delivery to ring for in so many seconds, because its next attempt is near."""

    delivery_id: UUID
    countdown_seconds: float


def judge(landing: Landing, rng: random.Random) -> Verdict:
    """Classify what came back and schedule what follows. Pure."""
    claim, profile = landing.flight.claim, landing.flight.endpoint.profile
    started_at = claim.moment(landing.started_monotonic)
    finished_at = started_at + timedelta(milliseconds=landing.result.timings.total_ms or 0)
    outcome = classify(landing.result, profile)
    return Verdict(
        delivery_id=claim.delivery_id,
        attempt_number=claim.attempt_number,
        claimed_at=claim.claimed_at,
        started_at=started_at,
        finished_at=finished_at,
        outcome=outcome,
        decision=schedule(
            profile,
            attempt_number=claim.attempt_number,
            outcome=outcome,
            now=finished_at,
            expires_at=claim.expires_at,
            rng=rng,
            is_only_attempt=claim.trigger == TEST_TRIGGER,
        ),
        result=landing.result,
        latency_seconds=_latency_seconds(claim, started_at),
    )


def _latency_seconds(claim: Claim, started_at: datetime) -> float | None:
    if claim.attempt_number > 1 or claim.trigger != TRIGGER:
        return None
    # The publisher's clock may be ahead of the database's.
    return max((started_at - claim.fact.created_at).total_seconds(), 0.0)


def record_landings(landings: Sequence[Landing], *, rng: random.Random) -> list[NearRetry]:
    """Judge and record what landed, however long the database takes to come back. Returns the retries to ring for."""
    # Before a retry can be claimed: it has to find another token.
    reject_tokens(landings)
    verdicts = [judge(landing, rng) for landing in landings]
    try:
        retries = patiently(partial(record, verdicts))
    except DataError as error:
        # One of them holds what the database refuses: it must not cost its neighbours their record.
        if len(landings) == 1:
            # Its code, not its text: that may repeat a response.
            code = getattr(error.__cause__, "pgcode", None)
            logger.error("not recordable", extra={"delivery": str(verdicts[0].delivery_id), "sqlstate": code})
            return []
        half = len(landings) // 2
        return record_landings(landings[:half], rng=rng) + record_landings(landings[half:], rng=rng)
    if is_on():
        for landing, verdict in zip(landings, verdicts, strict=True):
            claim, outcome = landing.flight.claim, verdict.outcome
            trace_attempt(claim, began=verdict.started_at, ended=verdict.finished_at, outcome=outcome)
    return retries


def record(verdicts: Sequence[Verdict]) -> list[NearRetry]:
    """Insert the attempts and move their deliveries on, in one statement. Returns the retries that are near.

    A verdict whose claim is no longer the delivery's own still leaves its attempt on record, and changes nothing else.
    """
    if not verdicts:
        return []
    settings = hub_settings()
    near_seconds = settings.near_retry_seconds if doorbell.countdown_is_safe() else 0.0
    rows = [_row(verdict, settings, near_seconds) for verdict in verdicts]
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "landed": orjson.dumps(rows).decode(),
            "low": min(verdict.delivery_id for verdict in verdicts),
            "high": max(verdict.delivery_id for verdict in verdicts),
        }
        cursor.execute(_RECORD, parameters)
        moved = {identifier for identifier, is_moved in cursor.fetchall() if is_moved}
    _log(verdicts, moved)
    return [
        NearRetry(delivery_id=verdict.delivery_id, countdown_seconds=wait_seconds)
        for verdict in verdicts
        if verdict.delivery_id in moved and (wait_seconds := _near_wait_seconds(verdict, near_seconds)) is not None
    ]


def _near_wait_seconds(verdict: Verdict, near_seconds: float) -> float | None:
    match verdict.decision:
        case RetryAt(moment=moment):
            wait_seconds = (moment - verdict.finished_at).total_seconds()
            # A retry that is due at once needs no countdown, so it is rung on every broker.
            return wait_seconds if wait_seconds <= near_seconds else None
        case Done() | GiveUp():
            return None
        case _:
            assert_never(verdict.decision)


def _row(verdict: Verdict, settings: HubSettings, near_seconds: float) -> dict[str, object]:
    """The verdict under the names of the columns."""
    row: dict[str, object] = {
        "attempt_id": attempt_id(verdict.delivery_id, verdict.attempt_number),
        "delivery_id": verdict.delivery_id,
        "number": verdict.attempt_number,
        "claimed_at": verdict.claimed_at,
        "started_at": verdict.started_at,
        "outcome": verdict.outcome.code,
        "latency_seconds": verdict.latency_seconds,
        **_move(verdict, settings, near_seconds),
    }
    match verdict.result:
        case Answer() as answer:
            row |= {"status_code": answer.status_code, "error": "", **_exchange_columns(answer)}
            row |= {
                "response_headers": _text("\n".join(f"{name}: {value}" for name, value in answer.headers)),
                "response_body": _text(answer.body.decode(errors="replace")),
                "response_truncated": answer.truncated,
            }
        case NoAnswer() as failure:
            error = _text(failure.message)[:_ERROR_MAX_CHARACTERS]
            row |= {"status_code": failure.status_code, "error": error, **_exchange_columns(failure)}
        case None:
            row |= {"error": "the worker that had this delivery was lost; whether it was sent is not known"}
        case _:
            assert_never(verdict.result)
    return row


def _exchange_columns(result: Result) -> dict[str, object]:
    timings = result.timings
    return {
        "dns_ms": timings.dns_ms,
        "connect_ms": timings.connect_ms,
        "tls_ms": timings.tls_ms,
        "first_byte_ms": timings.first_byte_ms,
        "total_ms": timings.total_ms,
        "peer_address": result.peer_address,
        "connection_reused": result.connection_reused,
    }


def _move(verdict: Verdict, settings: HubSettings, near_seconds: float) -> dict[str, object]:
    """Where the delivery goes from here."""
    match verdict.decision:
        case Done():
            return {"status": Status.DELIVERED, "finished_at": verdict.finished_at}
        case GiveUp(reason=reason):
            return {"status": Status.FAILED, "finished_at": verdict.finished_at, "failure_reason": reason}
        case RetryAt(moment=moment):
            is_near = _near_wait_seconds(verdict, near_seconds) is not None
            # The sweep need not look at what a countdown brings, unless that got lost.
            wake_at = moment + timedelta(seconds=settings.look_again_seconds if is_near else 0)
            return {"status": Status.PENDING, "due_at": moment, "wake_at": wake_at}
        case _:
            assert_never(verdict.decision)


def _text(text: str) -> str:
    """What PostgreSQL's text can hold: anything but NUL."""
    return text.replace("\x00", "\ufffd")


def _log(verdicts: Sequence[Verdict], moved: set[UUID]) -> None:
    outcomes: dict[str, int] = {}
    for verdict in verdicts:
        outcomes[verdict.outcome.code] = outcomes.get(verdict.outcome.code, 0) + 1
    extra = {
        "attempts": len(verdicts),
        "outcomes": outcomes,
        "late": len(verdicts) - len(moved),
        "delivery_ids": logged_ids("delivery", (verdict.delivery_id for verdict in verdicts)),
        "attempt_ids": logged_ids(
            "attempt", (attempt_id(verdict.delivery_id, verdict.attempt_number) for verdict in verdicts)
        ),
    }
    logger.info("recorded", extra=extra)


_RECORD = """
    WITH landed AS (
        SELECT * FROM json_to_recordset(%(landed)s) AS landed (
            attempt_id uuid, delivery_id uuid, number integer, claimed_at timestamptz, started_at timestamptz,
            outcome text, status_code smallint, error text,
            dns_ms float, connect_ms float, tls_ms float, first_byte_ms float, total_ms float,
            peer_address text, connection_reused boolean, latency_seconds float,
            response_headers text, response_body text, response_truncated boolean,
            status text, due_at timestamptz, wake_at timestamptz, finished_at timestamptz, failure_reason text)
    ), attempted AS (
        INSERT INTO webhookhub_delivery_attempt (
            id, delivery_id, number, started_at, outcome, status_code, error,
            dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms, peer_address, connection_reused,
            response_headers, response_body, response_truncated)
        SELECT attempt_id, delivery_id, number, started_at, outcome, status_code, error,
               dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms,
               coalesce(peer_address, ''), coalesce(connection_reused, false),
               coalesce(response_headers, ''), coalesce(response_body, ''), coalesce(response_truncated, false)
          FROM landed
            ON CONFLICT (id) DO UPDATE  -- a late result says more than the sweep's "worker lost"
           SET started_at = excluded.started_at, outcome = excluded.outcome,
               status_code = excluded.status_code, error = excluded.error,
               dns_ms = excluded.dns_ms, connect_ms = excluded.connect_ms, tls_ms = excluded.tls_ms,
               first_byte_ms = excluded.first_byte_ms, total_ms = excluded.total_ms,
               peer_address = excluded.peer_address, connection_reused = excluded.connection_reused,
               response_headers = excluded.response_headers, response_body = excluded.response_body,
               response_truncated = excluded.response_truncated
         WHERE webhookhub_delivery_attempt.outcome = 'worker_lost' AND excluded.outcome <> 'worker_lost'
    ), moved AS (
        UPDATE webhookhub_delivery AS delivery
           SET status = CASE delivery.status WHEN 'pending' THEN landed.status ELSE delivery.status END,
               due_at = coalesce(landed.due_at, delivery.due_at),
               wake_at = CASE WHEN delivery.status = 'pending' AND landed.status = 'pending'
                              THEN least(landed.wake_at, delivery.expires_at) END,
               claimed_at = NULL,
               finished_at = CASE delivery.status WHEN 'pending' THEN landed.finished_at ELSE delivery.finished_at END,
               failure_reason = CASE delivery.status WHEN 'pending' THEN coalesce(landed.failure_reason, '')
                                                     ELSE delivery.failure_reason END,
               last_outcome = landed.outcome,
               last_status_code = landed.status_code
          FROM landed
         WHERE delivery.id = landed.delivery_id
           AND delivery.id BETWEEN %(low)s AND %(high)s  -- lets the planner leave out other partitions
           AND delivery.claimed_at = landed.claimed_at
           -- What was cancelled on the wire stays so, and is no longer claimed. Written so that the planner does not ask its
           -- statistics, where nearly all are delivered: it expected one row, and compared each with each.
           AND CASE delivery.status WHEN 'pending' THEN true WHEN 'cancelled' THEN true ELSE false END
     RETURNING delivery.id, delivery.subscription_id, delivery.account_id, delivery.status::text, landed.outcome,
               landed.total_ms, landed.latency_seconds, landed.connection_reused
    ), tallied AS (
        -- Whoever moved a delivery counts it, so each attempt is counted once. Added up by `tally`.
        INSERT INTO webhookhub_tally (
            subscription_ids, account_ids, outcomes, statuses, total_ms, latency_seconds, connections_reused)
        SELECT array_agg(subscription_id), array_agg(account_id), array_agg(outcome), array_agg(status),
               array_agg(total_ms), array_agg(latency_seconds), array_agg(connection_reused)
          FROM moved
        HAVING count(*) > 0
    )
    SELECT id, status <> 'cancelled' FROM moved
"""
