"""How do concurrent requests share a commit? A thread takes all that wait and publishes them together; nobody waits for more."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection

from webhookhub.api.problems import Problem, unavailable
from webhookhub.ingest.publication import Publication
from webhookhub.ingest.publish import Published, Result, publish
from webhookhub.ingest.sink import Unrung, current_sink

logger = logging.getLogger("webhookhub.ingest")

# Events of one transaction: enough to share its cost, few enough that those behind it wait only milliseconds.
MOST_EVENTS_A_GROUP = 500
# After a ring the next one waits for as long as it had ids, and no longer than the most: up to a thousand events a second
# are rung for as they come, more share their messages, which cost as much as ten deliveries each.
RING_PAUSE_SECONDS_AN_ID = 0.001
MOST_RING_PAUSE_SECONDS = 0.05


class _Waiting(NamedTuple):
    publication: Publication
    answer: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop


class GroupCommit:
    """One process's way into the database for events: two threads, started by the first publication.

    One commits, the other rings: a broker that is away or slow holds up no commit, and rings that pile up become one.
    """

    def __init__(self, *, most_waiting_events: int) -> None:
        self._most_waiting_events = most_waiting_events
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._unrung: queue.SimpleQueue[Unrung | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        # Counted by the event loop's thread alone.
        self.waiting_events = 0

    async def commit(self, publication: Publication) -> Result:
        """The result of the publication once it is committed. Raises Problem (503) when too much waits already."""
        size = len(publication.items)
        if self.waiting_events and self.waiting_events + size > self._most_waiting_events:
            raise unavailable("More events wait to be recorded than this process takes; try again in a moment.")
        if not self._threads:
            self._start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        self.waiting_events += size
        self._waiting.put(_Waiting(publication, answer, loop))
        try:
            return await answer
        finally:
            self.waiting_events -= size

    def close(self, timeout_seconds: float) -> None:
        """Commit and ring what waits, for so long; the sweep finds what was not rung."""
        self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout_seconds)
        self._threads = []

    def _start(self) -> None:
        for name, run in (("commit", self._commit_groups), ("ring", self._ring_groups)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _commit_groups(self) -> None:
        try:
            while group := self._next_group():
                published = commit_group([one.publication for one in group])
                self._unrung.put(published.unrung)
                _answer(group, published.results)
        finally:
            self._unrung.put(None)
            connection.close()

    def _next_group(self) -> list[_Waiting]:
        """All that waits now, up to MOST_EVENTS_A_GROUP events; empty at the end."""
        first = self._waiting.get()
        if first is None:
            return []
        group, events = [first], len(first.publication.items)
        while events < MOST_EVENTS_A_GROUP:
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                break
            if one is None:
                self._waiting.put(None)
                break
            group.append(one)
            events += len(one.publication.items)
        return group

    def _ring_groups(self) -> None:
        try:
            is_open = True
            while is_open:
                parts, is_open = self._next_unrung()
                unrung = Unrung.join(parts)
                _ring(unrung)
                ids = len(unrung.events) + len(unrung.deliveries)
                time.sleep(min(ids * RING_PAUSE_SECONDS_AN_ID, MOST_RING_PAUSE_SECONDS))
        finally:
            connection.close()

    def _next_unrung(self) -> tuple[list[Unrung], bool]:
        """All that was committed since the last ring, and whether more may come."""
        parts: list[Unrung] = []
        while not parts or not self._unrung.empty():
            part = self._unrung.get()
            if part is None:
                return parts, False
            parts.append(part)
        return parts, True


def _ring(unrung: Unrung) -> None:
    try:
        current_sink().ring(unrung)
    except Exception:
        # The sweep finds what was not rung; this thread has to ring for what comes after.
        logger.exception("not rung", extra={"events": len(unrung.events), "deliveries": len(unrung.deliveries)})


def commit_group(publications: Sequence[Publication]) -> Published:
    """The result of each publication, whatever happens to the others."""
    for _ in range(2):
        try:
            return publish(publications)
        except (OperationalError, InterfaceError) as error:
            # A connection that had died is found out by its first statement; the next one is new.
            logger.warning("database away", extra={"publications": len(publications), "reason": str(error)[:200]})
            connection.close()
        except Exception:
            # Whatever it is, it must neither end this thread nor cost the others of the group their events.
            logger.exception("a group was not recorded", extra={"publications": len(publications)})
            if len(publications) > 1:
                parts = [commit_group([one]) for one in publications]
                results = [result for part in parts for result in part.results]
                return Published(results=results, unrung=Unrung.join([part.unrung for part in parts]))
            unknown = Problem(500, "internal", "The event could not be recorded; the hub's log says why.")
            return Published(results=[unknown], unrung=Unrung())
    away = [unavailable("The database cannot be reached; nothing is known to be recorded.") for _ in publications]
    return Published(results=[*away], unrung=Unrung())


def _answer(group: Sequence[_Waiting], results: Sequence[Result]) -> None:
    """Hand the results over: one call into each event loop, which there is one of."""
    pairs = list(zip(group, results, strict=True))
    for loop in {one.loop for one in group}:
        loop.call_soon_threadsafe(_resolve, [(one.answer, result) for one, result in pairs if one.loop is loop])


def _resolve(answers: Sequence[tuple[asyncio.Future[Result], Result]]) -> None:
    for answer, result in answers:
        # Whoever went away meanwhile hears nothing; its event is recorded all the same.
        if not answer.done():
            answer.set_result(result)
