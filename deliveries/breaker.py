"""Which endpoints are down, and which are back? Every few seconds their figures, probes and steps are judged by `circuit`.

What follows is written into `Circuit`: one for each subscription and all workers, who know of it before their next attempt.
Nothing of this is asked while deliveries are claimed, sent or recorded. Of two who judge at once, one does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, assert_never
from uuid import UUID

from django.db import connection, transaction

from deliveries import circuit as rule
from deliveries.circuit import Change, Counted, Fate, Open, Recover, Rules, Step, Timed
from deliveries.fates import read_fates, read_step_fates
from deliveries.figure_models import WHOLE_HUB
from deliveries.hold import CIRCUITS_LOCK, release_step
from subscriptions.models import HOLDING_STATES, Circuit, CircuitState, Subscription
from webhookhub import ids
from webhookhub.conf import HubSettings, hub_settings

logger = logging.getLogger("webhookhub.circuit")


class _Figures(NamedTuple):
    """What was recorded of an endpoint within the window."""

    counted: Counted
    """Since its circuit closed."""
    timed: Timed


@dataclass(slots=True)
class _Round:
    """One look at all circuits, at one moment."""

    now: datetime
    rules: Rules
    breaker: str
    circuits: dict[UUID, Circuit]
    figures: dict[UUID, _Figures]
    """Of those endpoints that failed, or took long."""
    changed: dict[UUID, Circuit] = field(default_factory=dict)
    """Those that are to be written."""

    def of(self, state: CircuitState) -> list[Circuit]:
        """The circuits that are in this state now."""
        return [one for one in self.circuits.values() if one.state == state]


def judge() -> int:
    """Look at every circuit, and at all endpoints that fail. Returns how many circuits changed."""
    with transaction.atomic():
        now = _lock()
        if now is None:
            return 0
        settings = hub_settings()
        rules = read_rules(settings)
        circuits = {one.subscription_id: one for one in Circuit.objects.all()}
        figures = _read_figures(now, rules)
        this = _Round(now=now, rules=rules, breaker=settings.circuit_breaker, circuits=circuits, figures=figures)
        before = {identifier: one.state for identifier, one in circuits.items()}
        _judge_traffic(this)
        _judge_probes(this)
        _judge_steps(this)
        _send_probes(this)
        _judge_speed(this)
        _write(this)
    for identifier, one in this.changed.items():
        if before.get(identifier, CircuitState.CLOSED) != one.state:
            _log(one)
    return len(this.changed)


def read_rules(settings: HubSettings) -> Rules:
    """The rules that the settings name."""
    return Rules(
        window=timedelta(minutes=settings.circuit_window_minutes),
        failure_percent=settings.circuit_failure_percent,
        least_attempts=settings.circuit_least_attempts,
        least_unaccepted=settings.circuit_least_unaccepted,
        probe_wait=timedelta(seconds=settings.circuit_probe_seconds),
        longest_probe_wait=timedelta(seconds=settings.circuit_longest_probe_seconds),
        slow_after=timedelta(seconds=settings.slow_endpoint_seconds),
    )


def _lock() -> datetime | None:
    """The moment of this look; None where somebody else is at it."""
    with connection.cursor() as cursor:
        # Plans for a handful of rows: compiling them takes longer than they run.
        cursor.execute("SET LOCAL jit = off; SELECT pg_try_advisory_xact_lock(%s), now()", [CIRCUITS_LOCK])
        is_ours, now = cursor.fetchone()
        return now if is_ours else None


def _judge_traffic(this: _Round) -> None:
    """Open what fails, or say that it would be opened; and where the breaker is no longer on, let everything go."""
    failing = dict(_failing(this))
    for one in this.of(CircuitState.WOULD_OPEN):
        if this.breaker != "dry-run" or one.subscription_id not in failing:
            _close(this, one)
    for identifier, change in failing.items():
        known = this.circuits.get(identifier)
        one = known or Circuit(subscription_id=identifier, state=CircuitState.CLOSED, since=this.now)
        if this.breaker == "on":
            _apply(this, one, change)
        elif this.breaker == "dry-run" and one.state != CircuitState.WOULD_OPEN:
            one.state, one.since, one.reason = CircuitState.WOULD_OPEN, this.now, change.reason
            this.circuits[identifier] = this.changed[identifier] = one
    if this.breaker != "on":
        for one in [*this.of(CircuitState.OPEN), *this.of(CircuitState.HALF_OPEN)]:
            _apply(this, one, Recover(step_size=rule.FIRST_STEP))


def _failing(this: _Round) -> Iterator[tuple[UUID, Open]]:
    """The closed circuits that should be open."""
    if this.breaker == "off":
        return
    for identifier, figures in this.figures.items():
        known = this.circuits.get(identifier)
        if known is not None and known.state not in (CircuitState.CLOSED, CircuitState.WOULD_OPEN):
            continue
        is_recent = known is not None and known.since > this.now - this.rules.window
        openings = known.openings if known is not None and is_recent else 0
        change = rule.judge_traffic(figures.counted, openings=openings, now=this.now, rules=this.rules)
        if change is not None:
            yield identifier, change


def _judge_probes(this: _Round) -> None:
    probed = this.of(CircuitState.HALF_OPEN)
    fates = read_fates({(one.probe_id, one.probe_attempt) for one in probed if one.probe_id and one.probe_attempt})
    for one in probed:
        fate = fates.get(one.probe_id, Fate.VOID)
        change = rule.judge_probe(fate, reason=one.reason, openings=one.openings, now=this.now, rules=this.rules)
        if change is not None:
            _apply(this, one, change)


def _judge_steps(this: _Round) -> None:
    recovering = this.of(CircuitState.RECOVERING)
    fates = read_step_fates(identifier for one in recovering for identifier in one.step_ids)
    for one in recovering:
        if one.subscription_id in this.changed:
            continue
        found = [fates.get(identifier) for identifier in one.step_ids]
        step = Step(one.step_size, found.count(Fate.UNKNOWN), found.count(Fate.ACCEPTED), found.count(Fate.REFUSED))
        change = rule.judge_step(step, openings=one.openings, now=this.now, rules=this.rules)
        if isinstance(change, Open) and this.breaker != "on":
            change = None if step.outstanding else Recover(step_size=step.size)
        if change is not None:
            _apply(this, one, change)


def _send_probes(this: _Round) -> None:
    due = [one for one in this.of(CircuitState.OPEN) if one.probe_at is not None and one.probe_at <= this.now]
    held = _with_held({one.subscription_id for one in due})
    for one in due:
        if one.subscription_id not in held:
            continue
        for probe in release_step(one.subscription_id, 1):
            one.state = CircuitState.HALF_OPEN
            one.probe_id, one.probe_attempt = probe.id, probe.attempt_count + 1
            this.changed[one.subscription_id] = one


def _judge_speed(this: _Round) -> None:
    """Have endpoints that take long told through a queue of their own, and those that do no more through that of all."""
    known = {identifier for identifier, one in this.circuits.items() if one.is_slow}
    for identifier in this.figures.keys() | known:
        timed = this.figures[identifier].timed if identifier in this.figures else Timed(0, 0)
        is_slow = rule.judge_speed(timed, was_slow=identifier in known, rules=this.rules)
        if is_slow is not (identifier in known):
            # What was counted in the window still counts against one whose circuit never opened.
            one = this.circuits.get(identifier) or Circuit(
                subscription_id=identifier, state=CircuitState.CLOSED, since=this.now - this.rules.window
            )
            one.is_slow = is_slow
            this.circuits[identifier] = this.changed[identifier] = one
            logger.info("speed", extra={"subscription": ids.show("subscription", identifier), "is_slow": is_slow})


def _read_figures(now: datetime, rules: Rules) -> dict[UUID, _Figures]:
    parameters: dict[str, Any] = {
        "since": now - rules.window,
        "whole_hub": WHOLE_HUB,
        "long_ms": rules.slow_after / timedelta(milliseconds=2),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters)
        return {
            identifier: _Figures(Counted(attempts, accepted), Timed(timed, total_ms))
            for identifier, attempts, accepted, timed, total_ms in cursor.fetchall()
        }


def _with_held(subscription_ids: set[UUID]) -> set[UUID]:
    """Those of the subscriptions for which something is held."""
    if not subscription_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_WITH_HELD, [[str(identifier) for identifier in subscription_ids]])
        return {identifier for (identifier,) in cursor.fetchall()}


def _apply(this: _Round, one: Circuit, change: Change) -> None:
    this.circuits[one.subscription_id] = this.changed[one.subscription_id] = one
    one.probe_id = one.probe_attempt = None
    match change:
        case Open(reason=reason, openings=openings, probe_at=probe_at):
            if not one.is_holding:
                one.since = this.now
            one.state, one.reason, one.openings, one.probe_at = CircuitState.OPEN, reason, openings, probe_at
            one.step_size, one.step_ids = 0, []
        case Recover(step_size=step_size):
            one.since = one.since if one.state == CircuitState.RECOVERING else this.now
            one.state, one.probe_at, one.step_size = CircuitState.RECOVERING, None, step_size
            one.step_ids = [released.id for released in release_step(one.subscription_id, step_size)]
            if not one.step_ids:
                _close(this, one)
        case _:
            assert_never(change)


def _close(this: _Round, one: Circuit) -> None:
    this.changed[one.subscription_id] = one
    one.state, one.since, one.step_size, one.step_ids = CircuitState.CLOSED, this.now, 0, []


def _write(this: _Round) -> None:
    """Write what changed, and forget those that have been closed for longer than is looked back."""
    # Whoever deletes a subscription has it locked before its circuit: so do we. One that is gone needs no circuit.
    there = Subscription.objects.select_for_update(no_key=True).filter(id__in=this.changed).order_by("id")
    existing = set(there.values_list("id", flat=True)) if this.changed else set()
    columns = [column.name for column in Circuit._meta.concrete_fields if not column.primary_key]
    Circuit.objects.bulk_create(
        [one for identifier, one in this.changed.items() if identifier in existing],
        update_conflicts=True,
        unique_fields=["subscription"],
        update_fields=columns,
    )
    if any(one.since < this.now - this.rules.window and not one.is_slow for one in this.of(CircuitState.CLOSED)):
        old = Circuit.objects.filter(state=CircuitState.CLOSED, since__lt=this.now - this.rules.window, is_slow=False)
        old.delete()


def _log(one: Circuit) -> None:
    extra = {
        "subscription": ids.show("subscription", one.subscription_id),
        "state": str(one.state),
        "openings": one.openings,
    }
    logger.info("circuit", extra=extra | ({"reason": one.reason} if one.state in _EXPLAINED else {}))


_EXPLAINED = (*HOLDING_STATES, CircuitState.WOULD_OPEN)

# What was counted before a circuit closed does not count against it: those minutes that began before are left out. An attempt
# whose worker was lost says nothing of its endpoint.
_FIGURES = """
    SELECT recorded.*
      FROM (SELECT figures.subscription_id,
                   coalesce(sum(attempts - lost) FILTER (WHERE counts), 0)::bigint AS attempts,
                   coalesce(sum(accepted) FILTER (WHERE counts), 0)::bigint AS accepted,
                   sum(timed)::bigint AS timed, sum(total_ms) AS total_ms
              FROM webhookhub_figures_minute AS figures
              LEFT JOIN webhookhub_circuit AS circuit ON circuit.subscription_id = figures.subscription_id
             CROSS JOIN LATERAL (SELECT circuit.state IS DISTINCT FROM 'closed' OR starts_at > circuit.since) AS its (counts)
             WHERE starts_at > %(since)s AND figures.subscription_id <> %(whole_hub)s
             GROUP BY figures.subscription_id
            HAVING sum(attempts - lost) > sum(accepted) OR sum(total_ms) >= %(long_ms)s * sum(timed)) AS recorded
      JOIN webhookhub_subscription AS subscription ON subscription.id = recorded.subscription_id
     WHERE enabled AND paused_at IS NULL
"""
_WITH_HELD = """
    SELECT id FROM webhookhub_subscription AS subscription
     WHERE id = ANY(%s::uuid[]) AND enabled AND paused_at IS NULL
       AND EXISTS (SELECT 1 FROM webhookhub_delivery
                    WHERE subscription_id BETWEEN subscription.id AND subscription.id AND status = 'held' AND expires_at > now())
"""
