"""Who fetches access tokens? A thread of the worker process: a token endpoint that takes its time holds up no batch and no task.

It writes that it asks, asks through the transport while nothing is locked, stores what came, and rings for whoever waited.
What another process fetches meanwhile is looked for until it is there.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple, assert_never
from uuid import UUID

from django.db import connection

from deliveries.authorize import Want
from deliveries.fan_out import DELIVER_TASK
from deliveries.patience import patiently
from deliveries.token_request import Denied, Granted, build_token_request, read_token_answer
from deliveries.tokens import Missing, begin_fetch, end_fetch, load_tokens
from deliveries.transport import Result, Transport
from webhookhub import doorbell

logger = logging.getLogger("webhookhub.tokens")

# How often it looks for a token that another process fetches: that takes a token endpoint's answer, some tenths of a second.
POLL_SECONDS = 0.2


class _Fetched(NamedTuple):
    """The answer of a token endpoint."""

    subscription_id: UUID
    asked_at: datetime
    result: Result


@dataclass(slots=True)
class _Order:
    """One subscription's token, until it is there or known to be not to be had."""

    want: Want
    deliveries: set[UUID] = field(default_factory=set)
    asked_at: datetime | None = None
    """Set while we fetch it."""


class TokenDesk:
    """Takes wants from any thread; each is fetched once, whoever else wants it."""

    def __init__(self, open_transport: Callable[[], Transport], *, user_agent: str) -> None:
        self._open_transport = open_transport
        self._user_agent = user_agent
        self._inbox: queue.SimpleQueue[Want | _Fetched | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, wants: Iterable[Want]) -> None:
        """Have these tokens fetched; whoever waits for one is rung when it is there, or known to be not to be had."""
        for want in wants:
            # One that fell over something unforeseen loses what it had in hand to the lease and the sweep.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="token-desk", daemon=True)
                self._thread.start()
            self._inbox.put(want)

    def close(self, timeout_seconds: float) -> None:
        """Give up what is being fetched, so that others may at once."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        orders: dict[UUID, _Order] = {}
        transport = self._open_transport()
        try:
            while self._handle_next(orders, transport):
                pass
        finally:
            transport.close(0)
            for order in orders.values():
                if order.asked_at is not None:
                    end_fetch(order.want.subscription_id, order.asked_at, None)
            connection.close()

    def _handle_next(self, orders: dict[UUID, _Order], transport: Transport) -> bool:
        """Do what comes next. False at the end."""
        others = [order for order in orders.values() if order.asked_at is None]
        try:
            message = self._inbox.get(timeout=POLL_SECONDS if others else None)
        except queue.Empty:
            for order in _no_longer_asked(others):
                self._advance(order, orders, transport)
            return True
        match message:
            case Want():
                order = orders.setdefault(message.subscription_id, _Order(message))
                order.want = message
                order.deliveries.update(message.deliveries)
                self._advance(order, orders, transport)
            case _Fetched():
                _settle(message)
                _ring(orders.pop(message.subscription_id, None))
            case None:
                return False
            case _:
                assert_never(message)
        return True

    def _advance(self, order: _Order, orders: dict[UUID, _Order], transport: Transport) -> None:
        """Fetch the token, unless somebody does; ring for whoever waits if there is nothing to wait for."""
        if order.asked_at is not None:
            return
        want = order.want
        order.asked_at = patiently(partial(begin_fetch, want.subscription_id, want.version))
        if order.asked_at is not None:
            request = build_token_request(want.auth, user_agent=self._user_agent)
            transport.start(request, partial(self._put, want.subscription_id, order.asked_at))
        elif not order.deliveries or _no_longer_asked([order]):
            _ring(orders.pop(want.subscription_id))

    def _put(self, subscription_id: UUID, asked_at: datetime, result: Result) -> None:
        """Called from the transport's thread."""
        self._inbox.put(_Fetched(subscription_id, asked_at, result))


def _no_longer_asked(orders: Sequence[_Order]) -> list[_Order]:
    """Those of the orders whose token no other process fetches now."""
    states = patiently(partial(load_tokens, [order.want.subscription_id for order in orders]))
    asked = {identifier for identifier, state in states.items() if isinstance(state, Missing) and state.is_asked}
    return [order for order in orders if order.want.subscription_id not in asked]


def _settle(fetched: _Fetched) -> None:
    answer = read_token_answer(fetched.result)
    is_taken = patiently(partial(end_fetch, fetched.subscription_id, fetched.asked_at, answer))
    extra = {"subscription": str(fetched.subscription_id), "taken": is_taken}
    match answer:
        case Granted(lifetime_seconds=lifetime_seconds):
            logger.info("token fetched", extra=extra | {"lifetime_seconds": lifetime_seconds})
        case Denied(reason=reason):
            logger.warning("token not to be had", extra=extra | {"reason": reason})
        case _:
            assert_never(answer)


def _ring(order: _Order | None) -> None:
    if order is not None:
        doorbell.ring(DELIVER_TASK, sorted(order.deliveries), queue=doorbell.DELIVERIES)
