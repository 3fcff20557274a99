"""How does a batch get from ids to recorded attempts? Claim, admit, build, send; record as results come; leave stragglers behind."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from deliveries.admit import Admitted, Refusal, admit, give_back
from deliveries.authorize import Authorization, authorize, fail_without_token, wants_of
from deliveries.cancel import find_cancelled
from deliveries.claim import Claim, claim
from deliveries.engine import Flight, Landing
from deliveries.limits import Moment, Timed, allow
from deliveries.line import join, leave_places
from deliveries.patience import patiently
from deliveries.record import NearRetry, record_landings
from deliveries.request import build_request
from deliveries.wire import Wire, open_wire
from subscriptions.endpoints import Endpoint, load_endpoints
from webhookhub.conf import hub_settings
from webhookhub.logged_ids import logged_ids

logger = logging.getLogger("webhookhub.deliver")

# Results that are recorded together while slower neighbours are still on the wire.
FLUSH_SIZE = 100
FLUSH_SECONDS = 0.05


def deliver(delivery_ids: Sequence[UUID]) -> list[NearRetry]:
    """Attempt those of the deliveries that are pending and due. Returns the retries to ring for.

    It waits for results for `batch_wait_seconds`. What is on the wire for longer is recorded by the process's recorder,
    and what never got a place on the wire is given back.
    """
    claims = claim(delivery_ids)
    versions = {one.subscription_id: one.subscription_version for one in claims if one.subscription_version is not None}
    endpoints = patiently(partial(load_endpoints, versions))
    wire = open_wire()
    admission = admit(claims, endpoints, crowded=wire.engine.crowded())
    for refusal, refused in admission.refused.items():
        give_back(refused, refusal)
    authorization = authorize(admission.admitted)
    wait_for_tokens(authorization, wire)
    allowance = allow(authorization.ready, most=wire.pacer.room)
    wire.pacer.put(build_timed_flights(allowance.timed))
    batch = Batch(wire)
    batch.send(build_flights(allowance.at_once))
    join(allowance.waiting)
    batch.land_unsent(fail_without_token(authorization.failing))
    retries = batch.record_until_done()
    logger.info(
        "delivered",
        extra={
            "rung": len(delivery_ids),
            "claimed": len(claims),
            "delivery_ids": logged_ids("delivery", (one.delivery_id for one in claims)),
            "event_ids": [one.fact.shown_id for one in claims[: hub_settings().log_ids]],
            "refused": {refusal.value: len(refused) for refusal, refused in admission.refused.items()},
            "without_token": len(authorization.waiting) + len(authorization.failing),
            "timed": len(allowance.timed),
            "waiting": len(allowance.waiting),
            "stragglers": batch.flying,
        },
    )
    return retries


def wait_for_tokens(authorization: Authorization, wire: Wire) -> None:
    """Give back what has no token yet, and have the token fetched: the deliveries are rung when it is there."""
    if authorization.waiting:
        give_back([one for one, _ in authorization.waiting], Refusal.TOKEN)
    # Not before: whoever is rung has to find them given back.
    wire.tokens.ask(wants_of(authorization))


def build_flights(admitted: Sequence[Admitted]) -> list[Flight]:
    """The requests of attempts that begin now."""
    user_agent, monotonic = hub_settings().user_agent, time.monotonic()
    return [_build_flight(one, endpoint, monotonic, user_agent) for one, endpoint in admitted]


def build_timed_flights(timed: Sequence[Timed]) -> list[tuple[Flight, Moment]]:
    """The requests of attempts that begin at their moments."""
    user_agent = hub_settings().user_agent
    return [(_build_flight(one, endpoint, moment.begin, user_agent), moment) for one, endpoint, moment in timed]


def _build_flight(one: Claim, endpoint: Endpoint, monotonic: float, user_agent: str) -> Flight:
    request = build_request(one, endpoint, now=one.moment(monotonic), default_user_agent=user_agent)
    return Flight(claim=one, endpoint=endpoint, request=request)


class Batch:
    """The flights of one task: they land here until the task leaves, and with the recorder afterwards."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._settings = hub_settings()
        self._rng = random.Random()
        self._lock = threading.Lock()
        # Delivery ids, each with its subscription's.
        self._flying: dict[UUID, UUID] = {}
        self._landed: list[Landing] = []
        self._worth_recording = threading.Event()
        self._left = False

    @property
    def flying(self) -> int:
        """Flights that have not landed."""
        return len(self._flying)

    def send(self, flights: Sequence[Flight]) -> None:
        """Give the flights to the engine, and those back whose endpoint has its share of this process taken."""
        with self._lock:
            self._flying.update((flight.claim.delivery_id, flight.claim.subscription_id) for flight in flights)
        crowded = [flight for flight in flights if not self._wire.engine.send(flight, self._land)]
        if crowded:
            with self._lock:
                self._forget(flight.claim for flight in crowded)
            self._give_back(crowded)

    def land_unsent(self, landings: Iterable[Landing]) -> None:
        """These failed before they could be sent: they are recorded with what lands."""
        with self._lock:
            self._landed += landings

    def record_until_done(self) -> list[NearRetry]:
        """Record what lands, until all has, the time is up, or only silent endpoints are left; the recorder has the rest."""
        retries: list[NearRetry] = []
        leave_at = time.monotonic() + self._settings.batch_wait_seconds
        while self.flying and (rest_seconds := leave_at - time.monotonic()) > 0 and not self._is_hopeless():
            self._worth_recording.wait(min(FLUSH_SECONDS, rest_seconds))
            retries += self._record_landed()
            self._drop_cancelled()
        self._leave()
        return retries + self._record_landed()

    def _is_hopeless(self) -> bool:
        """Whether only endpoints that answer nothing are left: a task that waited for those would be as slow as they are."""
        with self._lock:
            endpoints = set(self._flying.values())
        return self._wire.engine.all_silent(endpoints)

    def _forget(self, claims: Iterable[Claim]) -> None:
        """Called with the lock held."""
        for one in claims:
            self._flying.pop(one.delivery_id, None)

    def _record_landed(self) -> list[NearRetry]:
        with self._lock:
            landed, self._landed = self._landed, []
            self._worth_recording.clear()
        if not landed:
            return []
        retries = record_landings(landed, rng=self._rng)
        leave_places(landing.flight for landing in landed)
        return retries

    def _give_back(self, flights: Sequence[Flight]) -> None:
        give_back([flight.claim for flight in flights], Refusal.CROWDED)
        leave_places(flights)

    def _drop_cancelled(self) -> None:
        """A delivery that waits for its turn here may be cancelled meanwhile: then it never gets it."""
        if waiting := self._wire.engine.waiting(set(self._flying)):
            withdrawn = self._withdraw(patiently(partial(find_cancelled, waiting)))
            if withdrawn:
                self._give_back(withdrawn)

    def _leave(self) -> None:
        """Give back what still waits for its turn; what is on the wire lands with the recorder from now on."""
        unsent = self._withdraw(set(self._flying))
        if unsent:
            self._give_back(unsent)
        with self._lock:
            self._left = True

    def _withdraw(self, delivery_ids: set[UUID]) -> list[Flight]:
        withdrawn = self._wire.engine.withdraw(delivery_ids) if delivery_ids else []
        with self._lock:
            self._forget(flight.claim for flight in withdrawn)
        return withdrawn

    def _land(self, landing: Landing) -> None:
        """Called from the engine's thread."""
        with self._lock:
            self._flying.pop(landing.flight.claim.delivery_id, None)
            if self._left:
                self._wire.recorder.put(landing)
                return
            self._landed.append(landing)
            if not self._flying or len(self._landed) >= FLUSH_SIZE:
                self._worth_recording.set()
