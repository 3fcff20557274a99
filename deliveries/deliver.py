"""How does a batch get from ids to recorded attempts? Claim, admit, build, send; record as results come; leave stragglers behind."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from deliveries.admit import Refusal, admit, give_back
from deliveries.cancel import find_cancelled
from deliveries.claim import Claim, claim
from deliveries.engine import Flight, Landing
from deliveries.record import NearRetry, record_landings
from deliveries.request import build_request
from deliveries.wire import Wire, open_wire
from subscriptions.endpoints import Endpoint, load_endpoints
from webhookhub.conf import hub_settings

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
    endpoints = load_endpoints(
        {one.subscription_id: one.subscription_version for one in claims if one.subscription_version is not None}
    )
    admission = admit(claims, endpoints)
    for refusal, refused in admission.refused.items():
        give_back(refused, refusal)
    wire = open_wire()
    batch = Batch(wire)
    crowded = [one for one, endpoint in admission.admitted if not batch.send(one, endpoint)]
    if crowded:
        give_back(crowded, Refusal.CROWDED)
    retries = batch.record_until_done()
    logger.info(
        "delivered",
        extra={
            "rung": len(delivery_ids),
            "claimed": len(claims),
            "crowded": len(crowded),
            "refused": sum(map(len, admission.refused.values())),
            "stragglers": batch.flying,
        },
    )
    return retries


class Batch:
    """The flights of one task: they land here until the task leaves, and with the recorder afterwards."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._settings = hub_settings()
        self._rng = random.Random()
        self._lock = threading.Lock()
        self._flying: set[UUID] = set()
        self._landed: list[Landing] = []
        self._worth_recording = threading.Event()
        self._left = False

    @property
    def flying(self) -> int:
        """Flights that have not landed."""
        return len(self._flying)

    def send(self, one: Claim, endpoint: Endpoint) -> bool:
        """Build the request and give it to the engine. False where the endpoint's share of this process is taken."""
        now = one.moment(time.monotonic())
        request = build_request(one, endpoint, now=now, default_user_agent=self._settings.user_agent)
        with self._lock:
            self._flying.add(one.delivery_id)
        if self._wire.engine.send(Flight(claim=one, endpoint=endpoint, request=request), self._land):
            return True
        with self._lock:
            self._flying.discard(one.delivery_id)
        return False

    def record_until_done(self) -> list[NearRetry]:
        """Record what lands, until everything has or the time is up; then leave the rest to the recorder."""
        retries: list[NearRetry] = []
        leave_at = time.monotonic() + self._settings.batch_wait_seconds
        while self.flying and (rest_seconds := leave_at - time.monotonic()) > 0:
            self._worth_recording.wait(min(FLUSH_SECONDS, rest_seconds))
            retries += self._record_landed()
            self._drop_cancelled()
        self._leave()
        return retries + self._record_landed()

    def _record_landed(self) -> list[NearRetry]:
        with self._lock:
            landed, self._landed = self._landed, []
            self._worth_recording.clear()
        return record_landings(landed, rng=self._rng) if landed else []

    def _drop_cancelled(self) -> None:
        """A delivery that waits for its turn here may be cancelled meanwhile: then it never gets it."""
        if waiting := self._wire.engine.waiting(self._flying):
            self._withdraw(find_cancelled(waiting))

    def _leave(self) -> None:
        """Give back what still waits for its turn; what is on the wire lands with the recorder from now on."""
        unsent = self._withdraw(self._flying)
        if unsent:
            give_back([flight.claim for flight in unsent], Refusal.CROWDED)
        with self._lock:
            self._left = True

    def _withdraw(self, delivery_ids: set[UUID]) -> list[Flight]:
        withdrawn = self._wire.engine.withdraw(delivery_ids) if delivery_ids else []
        with self._lock:
            self._flying.difference_update(flight.claim.delivery_id for flight in withdrawn)
        return withdrawn

    def _land(self, landing: Landing) -> None:
        """Called from the engine's thread."""
        with self._lock:
            self._flying.discard(landing.flight.claim.delivery_id)
            if self._left:
                self._wire.recorder.put(landing)
                return
            self._landed.append(landing)
            if not self._flying or len(self._landed) >= FLUSH_SIZE:
                self._worth_recording.set()
