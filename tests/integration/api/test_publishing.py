"""Events published over HTTP: the ASGI door and Django's view give the same answers, because they are the same functions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIRequestFactory

from tests.integration.api.asgi import Response, call, nothing_behind
from tests.integration.conftest import Listen
from tests.integration.rows import run_at_once
from webhookhub import ids
from webhookhub.api.publishing import PublishBatch, PublishEvent
from webhookhub.api_keys import create_api_key
from webhookhub.callers import KEPT_SECONDS
from webhookhub.catalogue import forget_catalogue
from webhookhub.conf import hub_settings
from webhookhub.event_rows import EventRow
from webhookhub.ingest import group
from webhookhub.ingest.door import MOST_BEHIND, Door, Receive, Scope, Send
from webhookhub.ingest.publication import Publication
from webhookhub.ingest.publish import Published
from webhookhub.ingest.retention import forget_old_keys
from webhookhub.ingest.sink import Inserted, current_sink
from webhookhub.models import Account, Event, EventType, IdempotencyKey
from webhookhub.roles import Role

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
SHIPPED = {"type": "order.shipped", "data": {"orderId": "ord_123"}}

Publish = Callable[..., Response]


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door(nothing_behind)
    yield door
    door.close()


@pytest.fixture(params=["door", "view"])
def publish(request: pytest.FixtureRequest, key: str) -> Publish:
    """POSTs to either: `publish(SHIPPED)`, with further headers and a query as keywords."""
    send: Callable[..., Response] = through_view
    if request.param == "door":
        door = request.getfixturevalue("door")

        def send(*arguments: Any) -> Response:
            return through_door(door, *arguments)

    def post(document: Any, *, batch: bool = False, query: str = "", as_key: str = key, **headers: str) -> Response:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        given = {"authorization": f"Bearer {as_key}", "content_type": "application/json"} | headers
        return send(batch, body, query, {name: value for name, value in given.items() if value})

    return post


def through_door(door: Door, batch: bool, body: bytes, query: str, headers: Mapping[str, str]) -> Response:
    return asyncio.run(call(door, BATCH if batch else EVENTS, body, query=query, **headers))


def through_view(batch: bool, body: bytes, query: str, headers: Mapping[str, str]) -> Response:
    path = (BATCH if batch else EVENTS) + (f"?{query}" if query else "")
    # The content type of generic() has a default of its own.
    rest = dict(headers)
    content_type = rest.pop("content_type", "")
    named = {f"HTTP_{name.upper()}": value for name, value in rest.items()}
    request = APIRequestFactory().generic("POST", path, body, content_type=content_type, **named)
    response = (PublishBatch if batch else PublishEvent).as_view()(request)
    if hasattr(response, "render"):
        response.render()
    return Response(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content,
    )


@pytest.fixture
def key(account: Account) -> str:
    return create_api_key(account, "the shop", role=Role.PUBLISHER)


def event_id(response: Response) -> UUID:
    return ids.read("event", response.json["id"])


# ------------------------------------------------------------------------------------------------ accepted
def test_an_event_is_recorded_and_rung_for(publish: Publish, account: Account, listen: Listen) -> None:
    response = publish(
        {
            "type": "product.updated",
            "data": {"b": 1, "a": [1.0, None, "ü"]},
            "entityType": "product",
            "action": "UPDATE",
            "subject": "https://shop.example.com/products/7",
            "correlationId": "job-1",
        }
    )

    assert (response.status, response.headers["content-type"]) == (202, "application/json")
    stored = Event.objects.get(id=event_id(response))
    assert stored.account_id == account.id
    assert (stored.type, stored.data) == ("product.updated", '{"b":1,"a":[1,null,"ü"]}')
    assert (stored.entity_type, stored.action, stored.subject, stored.correlation_id) == (
        "product",
        "UPDATE",
        "https://shop.example.com/products/7",
        "job-1",
    )
    assert response.json["type"] == "product.updated"
    assert wait_for_rings(listen) == [stored.id]


def wait_for_rings(listen: Listen) -> list[UUID]:
    """The door rings from a thread of its own."""
    for _ in range(200):
        if rung := listen("fanout"):
            return [identifier for one in rung for identifier in one.ids]
        asyncio.run(asyncio.sleep(0.02))
    return []


@pytest.mark.parametrize("data", [None, 0, "text", [], {}, [[1]], True, 1e300])
def test_data_may_be_any_json(publish: Publish, data: Any) -> None:
    response = publish({"type": "a", "data": data})
    assert json.loads(Event.objects.get(id=event_id(response)).data) == data


def test_labels_that_are_null_count_as_absent(publish: Publish) -> None:
    response = publish(
        SHIPPED | {"entityType": None, "action": None, "subject": None, "correlationId": None, "id": None}
    )
    assert Event.objects.get(id=event_id(response)).subject == ""


def test_a_batch_is_recorded_in_its_order(publish: Publish) -> None:
    response = publish({"events": [{"type": f"order.{n}", "data": n} for n in range(3)]}, batch=True)
    assert response.status == 202
    assert [one["type"] for one in response.json["events"]] == ["order.0", "order.1", "order.2"]
    stored = {ids.show("event", one.id): one.data for one in Event.objects.all()}
    assert [stored[one["id"]] for one in response.json["events"]] == ["0", "1", "2"]


def test_a_batch_takes_a_thousand_events_and_not_one_more(publish: Publish) -> None:
    assert publish({"events": [SHIPPED] * 1000}, batch=True).status == 202
    refused = publish({"events": [SHIPPED] * 1001}, batch=True)
    assert refused.status == 422
    assert refused.json["errors"][0]["field"] == "events"
    assert Event.objects.count() == 1000


# ------------------------------------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("document", "status", "field"),
    [
        ({"data": 1}, 422, "type"),
        ({"type": "a"}, 422, "data"),
        ({"type": "a b", "data": 1}, 422, "type"),
        ({"type": 1, "data": 1}, 422, "type"),
        ({"type": None, "data": 1}, 422, "type"),
        ({"type": "a", "data": 1, "colour": "red"}, 422, "colour"),
        ({"type": "a", "data": 1, "entityType": 5}, 422, "entityType"),
        ({"type": "a", "data": 1, "action": "a b"}, 422, "action"),
        ({"type": "a", "data": 1, "subject": "\x00"}, 422, "subject"),
        ({"type": "a", "data": 1, "correlationId": "x" * 257}, 422, "correlationId"),
        ({"type": "a", "data": 1, "id": ""}, 422, "id"),
        ({"type": "a", "data": 1, "id": 7}, 422, "id"),
        ({"type": "a", "data": 1, "id": "é"}, 422, "id"),
        ([], 422, "body"),
        (b'{"type": "a", "data": NaN}', 400, None),
        (b"{", 400, None),
        (b"", 400, None),
        (b"\xff", 400, None),
        (b'{"type": "a", "data": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, None),
        (b'{"type": "a", "data": ' + b"[" * 300 + b"]" * 300 + b"}", 422, "data"),
    ],
)
def test_what_is_no_event_is_refused_with_the_field(
    publish: Publish, document: Any, status: int, field: str | None
) -> None:
    response = publish(document)
    assert (response.status, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json["status"] == status
    assert [one["field"] for one in response.json.get("errors", [])] == ([field] if field else [])
    assert not Event.objects.exists()


def test_a_batch_with_one_bad_event_records_none_and_names_it(publish: Publish) -> None:
    response = publish({"events": [SHIPPED, {"type": "order.shipped"}]}, batch=True)
    assert response.status == 422
    assert [one["field"] for one in response.json["errors"]] == ["events[1].data"]
    assert not Event.objects.exists()


@pytest.mark.parametrize("document", [[], {}, {"events": []}, {"events": {}}, {"events": [SHIPPED], "more": 1}])
def test_what_is_no_batch_is_refused(publish: Publish, document: Any) -> None:
    assert publish(document, batch=True).status == 422


def test_a_partial_batch_records_what_it_can_and_tells_of_each(publish: Publish) -> None:
    response = publish({"events": [SHIPPED, {"type": "a b", "data": 1}, SHIPPED]}, batch=True, query="partial=true")
    assert response.status == 207
    assert [one["status"] for one in response.json["results"]] == [202, 422, 202]
    assert response.json["results"][1]["problem"]["errors"][0]["field"] == "events[1].type"
    assert Event.objects.count() == 2


@pytest.mark.parametrize("word", ["True", "yes", "1"])
def test_partial_is_true_or_false_and_nothing_else(publish: Publish, word: str) -> None:
    response = publish({"events": [SHIPPED]}, batch=True, query=f"partial={word}")
    assert (response.status, [one["field"] for one in response.json["errors"]]) == (422, ["partial"])
    assert publish({"events": [SHIPPED]}, batch=True, query="partial=false").status == 202


def test_data_above_the_limit_is_413(publish: Publish) -> None:
    limit = hub_settings().event_data_max_bytes
    assert publish({"type": "a", "data": "x" * (limit - 2)}).status == 202
    refused = publish({"type": "a", "data": "x" * (limit - 1)})
    assert (refused.status, refused.json["code"]) == (413, "data_too_large")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_does_not_say_it_is_json_is_415(publish: Publish, content_type: str) -> None:
    response = publish(SHIPPED, content_type=content_type)
    assert (response.status, response.json["code"]) == (415, "unsupported_media_type")


def test_json_may_name_its_charset(publish: Publish) -> None:
    assert publish(SHIPPED, content_type="application/json; charset=utf-8").status == 202


# ------------------------------------------------------------------------------------------------ who
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer whk_nonsense", "Digest x", "Basic !", "Basic d2hr"])
def test_without_a_valid_key_it_is_401_with_one_text(publish: Publish, authorization: str) -> None:
    response = publish(SHIPPED, authorization=authorization)
    assert (response.status, response.json["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_signing_secret_as_key_gets_its_own_hint(publish: Publish) -> None:
    assert publish(SHIPPED, as_key="whsec_abc").json["code"] == "signing_secret_as_key"


@pytest.mark.parametrize(
    ("role", "status"), [(Role.ADMINISTRATOR, 202), (Role.PUBLISHER, 202), (Role.READER, 403)], ids=str
)
def test_who_may_publish(publish: Publish, account: Account, role: Role, status: int) -> None:
    assert publish(SHIPPED, as_key=create_api_key(account, "a key", role=role)).status == status


def test_an_operator_says_whose_event_it_is(publish: Publish, account: Account) -> None:
    Account.objects.filter(id=account.id).update(uid="alice")
    operator = create_api_key(None, "operator", role=Role.OPERATOR)
    assert publish(SHIPPED, as_key=operator).json["errors"][0]["field"] == "account"
    for named in ("alice", ids.show("account", account.id)):
        for _ in range(2):  # the second time from memory
            assert publish(SHIPPED, as_key=operator, query=f"account={named}").status == 202
    assert set(Event.objects.values_list("account_id", flat=True)) == {account.id}


@pytest.mark.parametrize("named", ["bob", "acc_0192f0c1d5a37abc8123456789abcdef", "%00"])
def test_an_account_that_is_not_there_is_404_and_nothing_is_recorded(publish: Publish, named: str) -> None:
    operator = create_api_key(None, "operator", role=Role.OPERATOR)
    assert publish(SHIPPED, as_key=operator, query=f"account={named}").status == 404
    assert publish(SHIPPED, as_key=operator, query=f"account={named}", idempotency_key="k").status == 404
    assert publish({"events": [SHIPPED]}, as_key=operator, query=f"account={named}", batch=True).status == 404
    assert not Event.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(("batch", "query"), [(False, "partial=true"), (False, "acount=x"), (True, "partail=true")])
def test_a_parameter_that_nobody_reads_is_refused(publish: Publish, batch: bool, query: str) -> None:
    refused = publish({"events": [SHIPPED]} if batch else SHIPPED, batch=batch, query=query)
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, query.partition("=")[0])


def test_another_account_cannot_be_named(publish: Publish, foreign_account: Account) -> None:
    assert publish(SHIPPED, query=f"account={ids.show('account', foreign_account.id)}").status == 404


# ------------------------------------------------------------------------------------------------ once
def test_the_same_key_and_content_again_is_the_same_event(publish: Publish) -> None:
    first = publish(SHIPPED, idempotency_key="k1")
    again = publish(SHIPPED, idempotency_key="k1")
    assert (again.status, again.body) == (first.status, first.body)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert Event.objects.count() == 1


def test_the_body_s_id_is_a_key_as_the_header_is(publish: Publish) -> None:
    first = publish(SHIPPED | {"id": "k1"})
    assert publish(SHIPPED, idempotency_key="k1").json == first.json
    assert publish(SHIPPED | {"id": "k1"}, idempotency_key="k1").json == first.json
    assert publish(SHIPPED | {"id": "k1"}, idempotency_key="k2").json["errors"][0]["field"] == "id"


def test_other_content_under_the_same_key_is_a_conflict(publish: Publish) -> None:
    publish(SHIPPED, idempotency_key="k1")
    refused = publish(SHIPPED | {"data": 2}, idempotency_key="k1")
    assert (refused.status, refused.json["code"]) == (409, "idempotency_conflict")
    assert [one["field"] for one in refused.json["errors"]] == ["Idempotency-Key"]
    assert publish(SHIPPED | {"data": 2, "id": "k1"}).json["errors"][0]["field"] == "id"
    assert Event.objects.count() == 1


def test_other_keys_with_equal_content_are_other_events(publish: Publish) -> None:
    assert publish(SHIPPED, idempotency_key="k1").json["id"] != publish(SHIPPED, idempotency_key="k2").json["id"]


def test_the_same_key_of_another_account_is_another_key(publish: Publish, foreign_account: Account) -> None:
    publish(SHIPPED, idempotency_key="k1")
    theirs = create_api_key(foreign_account, "theirs")
    assert publish(SHIPPED | {"data": 2}, idempotency_key="k1", as_key=theirs).status == 202


@pytest.mark.parametrize("bad_key", ["x" * 257, "é"])
def test_a_key_that_cannot_be_kept_is_refused(publish: Publish, bad_key: str) -> None:
    response = publish(SHIPPED, idempotency_key=bad_key.encode().decode("latin-1"))
    assert response.json["errors"][0]["field"] == "Idempotency-Key"


def test_a_batch_under_a_key_is_recorded_once(publish: Publish) -> None:
    batch = {"events": [SHIPPED, SHIPPED | {"data": 2}]}
    first = publish(batch, batch=True, idempotency_key="b1")
    again = publish(batch, batch=True, idempotency_key="b1")
    assert (again.json, again.headers["idempotent-replayed"]) == (first.json, "true")
    assert publish({"events": [SHIPPED]}, batch=True, idempotency_key="b1").status == 409
    assert Event.objects.count() == 2


def test_a_batch_takes_events_that_are_known_as_they_are(publish: Publish) -> None:
    first = publish(SHIPPED | {"id": "o1"})
    response = publish({"events": [SHIPPED | {"id": "o1"}, SHIPPED | {"id": "o2"}]}, batch=True)
    assert response.json["events"][0] == first.json
    assert Event.objects.count() == 2


def test_a_batch_with_a_conflict_records_none_and_keeps_no_key(publish: Publish) -> None:
    publish(SHIPPED | {"id": "o1"})
    refused = publish({"events": [SHIPPED | {"id": "o2"}, {"type": "a", "data": 1, "id": "o1"}]}, batch=True)
    assert refused.status == 409
    assert [one["field"] for one in refused.json["errors"]] == ["events[1].id"]
    assert Event.objects.count() == 1
    assert [key.key for key in IdempotencyKey.objects.all()] == ["o1"]


def test_a_partial_batch_under_a_key_tells_the_same_again(publish: Publish) -> None:
    publish(SHIPPED | {"id": "o1"})
    batch = {
        "events": [{"type": "a", "data": 1, "id": "o1"}, {"type": "a b", "data": 1}, SHIPPED, SHIPPED | {"id": "o1"}]
    }
    first = publish(batch, batch=True, query="partial=true", idempotency_key="b1")
    assert [one["status"] for one in first.json["results"]] == [409, 422, 202, 202]
    again = publish(batch, batch=True, query="partial=true", idempotency_key="b1")
    assert again.json == first.json
    assert Event.objects.count() == 2


def test_a_partial_batch_with_another_event_refused_is_another_content(publish: Publish) -> None:
    bad = {"type": "a b", "data": 1}
    publish({"events": [SHIPPED, bad]}, batch=True, query="partial=true", idempotency_key="b1")
    other = publish({"events": [bad, SHIPPED]}, batch=True, query="partial=true", idempotency_key="b1")
    assert (other.status, [one["field"] for one in other.json["errors"]]) == (409, ["Idempotency-Key"])
    assert Event.objects.count() == 1


def test_two_events_of_one_batch_under_one_id_are_one_event_or_a_conflict(publish: Publish) -> None:
    same = publish({"events": [SHIPPED | {"id": "o1"}, SHIPPED | {"id": "o1"}]}, batch=True)
    assert len({one["id"] for one in same.json["events"]}) == 1
    assert publish({"events": [SHIPPED | {"id": "o2"}, {"type": "a", "data": 1, "id": "o2"}]}, batch=True).status == 409
    assert Event.objects.count() == 1


def test_of_a_concurrent_pair_under_one_key_one_event_comes(key: str) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json", "idempotency_key": "k1"}
    body = json.dumps(SHIPPED).encode()
    answers = run_at_once([lambda: through_view(False, body, "", headers) for _ in range(4)])
    assert {answer.body for answer in answers} == {answers[0].body}
    assert Event.objects.count() == 1


def test_a_key_is_forgotten_after_its_hours_and_not_before(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhookhub.ingest.retention.ROWS_A_STATEMENT", 2)
    for number in range(6):
        publish(SHIPPED, idempotency_key=f"k{number}")
    hours = hub_settings().idempotency_hours
    for number, age in enumerate((1, 1, 1, -1)):
        moment = timezone.now() - timedelta(hours=hours, minutes=age)
        IdempotencyKey.objects.filter(key=f"k{number}").update(created_at=moment)
    assert forget_old_keys() == 3
    assert {key.key for key in IdempotencyKey.objects.all()} == {"k3", "k4", "k5"}


# ------------------------------------------------------------------------------------------------ schemas
def test_an_event_has_to_fit_its_schema_where_the_account_says_so(publish: Publish, account: Account) -> None:
    EventType.objects.create(name="order.shipped", schema={"type": "object", "required": ["orderId"]})
    Account.objects.filter(id=account.id).update(validates_events=True)
    forget_catalogue()
    assert publish(SHIPPED).status == 202
    refused = publish({"type": "order.shipped", "data": {}})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "data")
    batch = {"events": [SHIPPED, {"type": "order.shipped", "data": 1}]}
    assert [one["field"] for one in publish(batch, batch=True).json["errors"]] == ["events[1].data"]
    partial = publish(batch, batch=True, query="partial=true")
    assert [one["status"] for one in partial.json["results"]] == [202, 422]
    assert partial.json["results"][1]["problem"]["errors"][0]["field"] == "events[1].data"


# ------------------------------------------------------------------------------------------------ the door alone
def test_an_event_that_cannot_be_recorded_costs_the_others_nothing(
    door: Door, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}
    insert = current_sink().insert

    def fail_for_one(rows: Sequence[tuple[UUID, EventRow]]) -> Inserted:
        if any(row.type == "poison" for _, row in rows):
            raise RuntimeError("what nobody foresaw")
        return insert(rows)

    monkeypatch.setattr(current_sink(), "insert", fail_for_one)

    async def publish_all() -> list[Response]:
        bodies = [json.dumps({"type": kind, "data": 1}).encode() for kind in ("a", "poison", "b", "c")]
        return await asyncio.gather(*[call(door, EVENTS, body, **headers) for body in bodies])

    assert [response.status for response in asyncio.run(publish_all())] == [202, 500, 202, 202]
    assert Event.objects.count() == 3


def test_concurrent_requests_share_commits(door: Door, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}
    committed: list[int] = []
    commit = group.commit_group

    def counting(publications: Sequence[Publication]) -> Published:
        committed.append(len(publications))
        return commit(publications)

    monkeypatch.setattr(group, "commit_group", counting)

    async def publish_all() -> list[Response]:
        one = json.dumps(SHIPPED).encode()
        return await asyncio.gather(*[call(door, EVENTS, one, **headers) for _ in range(100)])

    assert {response.status for response in asyncio.run(publish_all())} == {202}
    assert Event.objects.count() == sum(committed) == 100
    assert len(committed) < 50


def test_more_than_may_wait_is_503_with_retry_after(key: str, settings: Settings) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"ingest_queue_max": 5})
    door = Door(nothing_behind)
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}

    async def publish_all() -> list[Response]:
        await call(door, EVENTS, json.dumps(SHIPPED).encode(), **headers)
        one = json.dumps(SHIPPED).encode()
        return await asyncio.gather(*[call(door, EVENTS, one, **headers) for _ in range(50)])

    answers = asyncio.run(publish_all())
    door.close()
    refused = [answer for answer in answers if answer.status == 503]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json["code"] == "unavailable"
    assert Event.objects.count() == 1 + len(answers) - len(refused)


def test_a_body_in_parts_is_read_to_the_limit(door: Door, key: str, settings: Settings) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}
    body = json.dumps(SHIPPED).encode()
    assert asyncio.run(call(door, EVENTS, [body[:5], body[5:9], body[9:]], **headers)).status == 202
    endless = [b" " * 1_000_000] * 9
    assert asyncio.run(call(door, EVENTS, endless, **headers)).status == 413


def test_a_body_that_says_it_is_too_large_is_refused_unread(door: Door, key: str) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json", "content_length": "8388609"}
    response = asyncio.run(call(door, EVENTS, [], **headers))
    assert (response.status, response.json["code"]) == (413, "body_too_large")


def test_what_is_behind_the_door_is_given_no_more_than_the_limit(door: Door) -> None:
    assert asyncio.run(call(door, "/elsewhere", [b"x", b"y"])).status == 404
    assert asyncio.run(call(door, "/elsewhere", [b" " * 1_000_000] * 9)).status == 413
    assert asyncio.run(call(door, "/elsewhere", [], content_length="8388609")).status == 413


def test_a_body_that_never_comes_is_408(door: Door, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhookhub.ingest.door.BODY_TIMEOUT_SECONDS", 0.05)
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}
    assert asyncio.run(call(door, EVENTS, [], **headers)).status == 408


def test_a_body_that_never_comes_to_what_is_behind_the_door_is_408(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhookhub.ingest.door.BODY_TIMEOUT_SECONDS", 0.05)
    assert asyncio.run(asyncio.wait_for(call(door, "/elsewhere", []), 10)).status == 408


def test_behind_the_door_so_many_are_at_work_at_once_and_the_others_wait() -> None:
    at_work, most = 0, 0

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal at_work, most
        await receive()
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.01)
        at_work -= 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    door = Door(work)

    async def ask_all() -> list[Response]:
        return await asyncio.gather(*[call(door, "/elsewhere", b"") for _ in range(3 * MOST_BEHIND)])

    assert {response.status for response in asyncio.run(ask_all())} == {204}
    assert most == MOST_BEHIND
    door.close()


def test_a_request_that_is_not_whole_takes_no_place_from_others(door: Door) -> None:
    async def ask_all() -> Response:
        hanging = [asyncio.create_task(call(door, "/elsewhere", [])) for _ in range(2 * MOST_BEHIND)]
        await asyncio.sleep(0)
        answer = await asyncio.wait_for(call(door, "/elsewhere", b"{}"), 10)
        for one in hanging:
            one.cancel()
        return answer

    assert asyncio.run(ask_all()).status == 404


def test_a_key_that_was_revoked_stops_working(door: Door, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"authorization": f"Bearer {key}", "content_type": "application/json"}
    body = json.dumps(SHIPPED).encode()
    assert asyncio.run(call(door, EVENTS, body, **headers)).status == 202
    Account.objects.get().api_keys.update(revoked_at="2026-01-01T00:00:00Z")
    later = time.monotonic() + KEPT_SECONDS + 0.1
    monkeypatch.setattr("webhookhub.callers.time.monotonic", lambda: later)
    assert asyncio.run(call(door, EVENTS, body, **headers)).status == 401
