"""What is a publisher told? 202 and the ids of what is committed, or a problem document."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import orjson

from webhookhub import ids
from webhookhub.api.problems import CONTENT_TYPE, Problem
from webhookhub.ingest.publication import Item, Publication
from webhookhub.ingest.publish import Result
from webhookhub.moments import iso_moment

ACCEPTED = 202
# Of a partial batch: each item has a status of its own (RFC 4918, section 11.1).
MULTI_STATUS = 207


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]


def answer(publication: Publication, result: Result) -> Answer:
    """What the publisher of it is told."""
    if isinstance(result, Problem):
        return answer_problem(result)
    headers = [("content-type", "application/json")]
    if result.is_replayed:
        headers.append(("idempotent-replayed", "true"))
    pairs = list(zip(publication.items, result.results, strict=True))
    if publication.is_partial:
        document: Any = {"results": [_show_result(item, one) for item, one in pairs]}
        return Answer(MULTI_STATUS, orjson.dumps(document), headers)
    events = [_show_event(item, one) for item, one in pairs]
    return Answer(ACCEPTED, orjson.dumps({"events": events} if publication.is_batch else events[0]), headers)


def answer_problem(problem: Problem) -> Answer:
    """A refusal."""
    return Answer(
        problem.status,
        orjson.dumps(problem.document),
        [("content-type", CONTENT_TYPE), *((name.lower(), value) for name, value in problem.headers.items())],
    )


def _show_event(item: Item | Problem, event_id: UUID | Problem) -> dict[str, Any]:
    """The event as it was when it was recorded first: its id tells when that was."""
    assert isinstance(item, Item)
    assert isinstance(event_id, UUID)
    return {
        "id": ids.show("event", event_id),
        "type": item.row.type,
        "createdAt": iso_moment(ids.moment_of(event_id)),
    }


def _show_result(item: Item | Problem, one: UUID | Problem) -> dict[str, Any]:
    if isinstance(one, Problem):
        return {"status": one.status, "problem": one.document}
    return {"status": ACCEPTED, "event": _show_event(item, one)}
