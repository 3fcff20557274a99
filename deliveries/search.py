"""Which deliveries does a filter mean? They are found in the order of their ids, which is that of their events."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from deliveries.filters import NO_ANSWER, STATUS_CODE_CLASSES, DeliveryFilter
from deliveries.models import UNDELIVERED, Status
from deliveries.outcome import OutcomeCode
from subscriptions.models import Subscription
from webhookhub import ids
from webhookhub.bounded_search import (
    CANDIDATES,
    Found,
    Span,
    Sql,
    Stretch,
    Table,
    Window,
    all_of,
    direction_of,
    find_along,
    find_among,
    find_window,
    span_of,
)
from webhookhub.errors import BadFilterError, BadIdError
from webhookhub.event_search import stretch_of_events

_DELIVERIES = Table(
    "webhookhub_delivery",
    ("id", "event_id", "account_id", "subscription_id", "status", "last_outcome", "last_status_code", "attempt_count"),
)
_EVENT_IDS = Table("webhookhub_event", ("id",))
_PREFIX = ids.PREFIXES["subscription"] + "_"
_NOT_DELIVERED = tuple(status for status in Status if status is not Status.DELIVERED)
_UNDELIVERED = frozenset(UNDELIVERED)
_WITH_ANSWER = (OutcomeCode.DELIVERED, OutcomeCode.STATUS, OutcomeCode.GONE)
_WITHOUT_ANSWER = [code.value for code in OutcomeCode if code not in _WITH_ANSWER]


def find_deliveries(
    wanted: DeliveryFilter,
    *,
    account_id: UUID | None,
    event_id: UUID | None = None,
    after: UUID | None = None,
    limit: int,
    ascending: bool = True,
) -> Found:
    """The ids of up to `limit` deliveries that come after the id `after`: those of one account, or of all (None).

    There may be fewer, or none, and more beyond: it goes on while `stopped_at` is not None. Raises BadFilterError.
    """
    span = span_of(wanted.since, wanted.until, after=after, ascending=ascending)
    if event_id is not None:
        span = span.within(Span(*ids.sibling_bounds(event_id)))
    subscription = None if wanted.webhook is None else _name_subscription(wanted.webhook, account_id)
    search = _Search(
        wanted=wanted,
        account_id=account_id,
        event_id=event_id,
        subscription=subscription,
        span=span,
        limit=limit,
        ascending=ascending,
    )
    stretches = search.stretches()
    return search.by_events() if stretches is None else search.along(stretches)


def _name_subscription(webhook: str, account_id: UUID | None) -> Sql:
    """The id of the subscription, which may be deleted; NULL where there is none of this `uid`. Raises BadFilterError."""
    if webhook.startswith(_PREFIX):
        try:
            return Sql.value(ids.read("subscription", webhook))
        except BadIdError:
            return _NONE
    if account_id is not None:
        return Sql(_OF_UID, (account_id, webhook))
    match list(Subscription.objects.filter(uid=webhook).values_list("id", flat=True)[:2]):
        case []:
            return _NONE
        case [identifier]:
            return Sql.value(identifier)
        case _:
            raise BadFilterError("webhook", "several accounts have one of this uid; name it by its id: sub_…")


_OF_UID = "(SELECT id FROM webhookhub_subscription WHERE account_id = %s AND uid = %s)"
_NONE = Sql("NULL::uuid")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    wanted: DeliveryFilter
    account_id: UUID | None
    event_id: UUID | None
    subscription: Sql | None
    span: Span
    limit: int
    ascending: bool

    def stretches(self) -> list[Stretch] | None:
        """The shortest stretches of an index on deliveries that hold all that is wanted; None: better go by the events."""
        wanted, is_of_one_account = self.wanted, self.account_id is not None
        if self.event_id is not None:
            return [Stretch()]
        if is_of_one_account and wanted.correlation_id is not None:
            return None
        if is_of_one_account and (statuses := self._statuses_but_delivered()):
            account = Sql.value(self.account_id)
            return [Stretch(("account_id", "status"), (account, Sql.value(status.value))) for status in statuses]
        if self.subscription is not None:
            return [Stretch(("subscription_id",), (self.subscription,))]
        if not is_of_one_account and wanted.statuses and _UNDELIVERED.issuperset(wanted.statuses):
            return [Stretch(("status",), (Sql.value(status.value),)) for status in wanted.statuses]
        if is_of_one_account or wanted.event_types or wanted.correlation_id is not None:
            return None
        return [Stretch()]

    def _statuses_but_delivered(self) -> tuple[Status, ...]:
        if self.wanted.statuses:
            return () if Status.DELIVERED in self.wanted.statuses else self.wanted.statuses
        # Whatever was delivered had an answer.
        return _NOT_DELIVERED if self.wanted.status_code_classes == (NO_ANSWER,) else ()

    def along(self, stretches: list[Stretch]) -> Found:
        """Read an index on deliveries."""
        return find_along(
            _DELIVERIES,
            stretches,
            self._conditions(),
            span=self.span,
            limit=self.limit,
            ascending=self.ascending,
            candidates=CANDIDATES // 2 if self._facts() else CANDIDATES,
        )

    def by_events(self) -> Found:
        """Read the events, and of each the deliveries: they lie side by side in the primary key."""
        window = find_window(
            _EVENT_IDS,
            stretch_of_events(self.account_id, self.wanted.correlation_id),
            span=_slots(self.span),
            ascending=self.ascending,
            candidates=CANDIDATES if self._facts() else CANDIDATES // 2,
        )
        if window is None:
            return Found([], None)
        found = find_among(
            self._deliveries_of(window),
            self._conditions(),
            limit=self.limit,
            ascending=self.ascending,
            candidates=CANDIDATES,
        )
        if found.stopped_at is not None or window.is_whole:
            return found
        slots = _slots(window.span)
        return found._replace(stopped_at=slots.high if self.ascending else slots.low)

    def _deliveries_of(self, window: Window) -> Sql:
        slots, account = _slots(window.span), self._account_condition()
        events, deliveries = all_of([*account, *self._facts()]), all_of(account)
        text = _BY_EVENTS.format(
            events=events.text,
            deliveries=deliveries.text,
            columns=", ".join(_DELIVERIES.columns),
            direction=direction_of(ascending=self.ascending),
        )
        bounds = (*slots, *self.span)
        return Sql(text, (*events.parameters, *slots, *deliveries.parameters, *bounds, CANDIDATES, CANDIDATES))

    def _account_condition(self) -> list[Sql]:
        return [] if self.account_id is None else [Sql("account_id = %s", (self.account_id,))]

    def _conditions(self) -> list[Sql]:
        """What a candidate has to be."""
        wanted, conditions = self.wanted, self._account_condition()
        if self.event_id is not None:
            conditions.append(Sql("event_id = %s", (self.event_id,)))
        if wanted.statuses:
            conditions.append(Sql("status = ANY(%s)", ([status.value for status in wanted.statuses],)))
        if self.subscription is not None:
            conditions.append(Sql(f"subscription_id = {self.subscription.text}", self.subscription.parameters))
        if wanted.status_codes:
            conditions.append(Sql("last_status_code = ANY(%s)", (list(wanted.status_codes),)))
        if wanted.status_code_classes:
            hundreds = [STATUS_CODE_CLASSES[name] for name in wanted.status_code_classes if name != NO_ANSWER]
            without = _WITHOUT_ANSWER if NO_ANSWER in wanted.status_code_classes else []
            conditions.append(Sql(_CLASSES, (hundreds, without)))
        if wanted.last_outcomes:
            conditions.append(Sql("last_outcome = ANY(%s)", (list(wanted.last_outcomes),)))
        if wanted.attempts_at_least is not None:
            conditions.append(Sql("attempt_count >= %s", (wanted.attempts_at_least,)))
        if facts := self._facts():
            fact = all_of(facts)
            conditions.append(Sql(_OF_EVENT.format(facts=fact.text), fact.parameters))
        return conditions

    def _facts(self) -> list[Sql]:
        """What the event's row says."""
        conditions = []
        if self.wanted.event_types:
            conditions.append(Sql("type = ANY(%s)", (list(self.wanted.event_types),)))
        if self.wanted.correlation_id is not None:
            conditions.append(Sql("correlation_id = %s", (self.wanted.correlation_id,)))
        return conditions


def _slots(span: Span) -> Span:
    """The span with all that was derived from its ends, and what they were derived from."""
    return Span(ids.sibling_bounds(span.low)[0], ids.sibling_bounds(span.high)[1])


_CLASSES = "(last_status_code / 100 = ANY(%s::int[]) OR last_status_code IS NULL AND last_outcome = ANY(%s::text[]))"
# As a value, since PostgreSQL may turn EXISTS into a walk through all events.
_OF_EVENT = "(SELECT {facts} FROM webhookhub_event AS event WHERE event.id = candidate.event_id)"
# Events of one moment share their bounds (`ids.sibling_bounds`, in SQL): the deliveries between are read once for them.
_BY_EVENTS = """
    SELECT found.*
      FROM (SELECT id, slot, lag(slot) OVER (ORDER BY id {direction}) AS slot_before
              FROM (SELECT id, left(id::text, 19) AS slot
                      FROM webhookhub_event
                     WHERE {events} AND id BETWEEN %s AND %s) AS event) AS event
     CROSS JOIN LATERAL (
           SELECT {columns} FROM webhookhub_delivery
            WHERE {deliveries}
              AND id BETWEEN (slot || '8000-000000000000')::uuid AND (slot || 'bfff-ffffffffffff')::uuid
              AND id BETWEEN %s AND %s AND id BETWEEN %s AND %s
            ORDER BY id {direction} LIMIT %s) AS found
     WHERE slot IS DISTINCT FROM slot_before
     ORDER BY event.id {direction}, found.id {direction}
     LIMIT %s
"""
