"""emit and emit_many: an outbox row in the caller's transaction, and one ring on commit."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from tests.integration.conftest import Listen
from webhookhub import ids
from webhookhub.errors import BadEventError, EventDataError, EventTypeError, UnknownAccountError
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.models import Account, Event

LIMIT_BYTES = 262_144


class CallerError(Exception):
    """What makes the caller's transaction roll back."""


def test_what_is_committed_is_stored_and_rung_once_with_its_id(account: Account, listen: Listen) -> None:
    with transaction.atomic():
        event_id = emit("order.shipped", {"n": 1}, account=account)
        assert listen("fanout") == []
    assert [(rung.task, rung.ids) for rung in listen("fanout")] == [("deliveries.fan_out", [event_id])]
    event = Event.objects.get()
    assert (event.id, event.type, event.data, event.account_id) == (event_id, "order.shipped", '{"n":1}', account.id)


def test_what_is_rolled_back_is_neither_stored_nor_rung(account: Account, listen: Listen) -> None:
    with suppress(CallerError), transaction.atomic():
        emit("order.shipped", {}, account=account)
        raise CallerError
    assert not Event.objects.exists()
    assert listen("fanout") == []


def test_what_a_savepoint_rolls_back_is_gone_and_the_rest_of_the_transaction_stays(
    account: Account, listen: Listen
) -> None:
    with transaction.atomic():
        kept = emit("order.shipped", {}, account=account)
        with suppress(CallerError), transaction.atomic():
            emit("order.lost", {}, account=account)
            raise CallerError
    assert [event.id for event in Event.objects.all()] == [kept]
    assert [rung.ids for rung in listen("fanout")] == [[kept]]


def test_a_refused_event_leaves_the_caller_s_transaction_usable(account: Account) -> None:
    with transaction.atomic():
        kept = emit("order.shipped", {}, account=account)
        with pytest.raises(UnknownAccountError):
            emit("order.shipped", {}, account=uuid4())
    assert [event.id for event in Event.objects.all()] == [kept]


def test_outside_a_transaction_an_event_is_stored_and_rung_at_once(account: Account, listen: Listen) -> None:
    assert not connection.in_atomic_block
    event_id = emit("order.shipped", {}, account=account)
    assert [rung.ids for rung in listen("fanout")] == [[event_id]]


def test_an_event_waits_for_its_fan_out_under_the_eye_of_the_sweep(account: Account) -> None:
    emit("order.shipped", {}, account=account)
    event = Event.objects.get()
    assert event.wake_at is not None
    assert 0 < (event.wake_at - event.created_at).total_seconds() < 60


def test_every_label_is_stored(account: Account) -> None:
    labels = {
        "entity_type": "product",
        "action": "UPDATE",
        "subject": "https://shop.example/ü?a=b c",
        "correlation_id": "req 1 €",
    }
    emit("product.changed", {}, account=account, **labels)
    event = Event.objects.get()
    assert {name: getattr(event, name) for name in labels} == labels


@pytest.mark.parametrize("named", ["row", "uuid", "shown", "text"])
def test_an_account_is_named_by_its_row_or_its_id(account: Account, named: str) -> None:
    forms: dict[str, Any] = {
        "row": account,
        "uuid": account.id,
        "shown": ids.show("account", account.id),
        "text": str(account.id),
    }
    emit("order.shipped", {}, account=forms[named])
    assert Event.objects.get().account_id == account.id


def test_many_events_are_stored_in_order_and_rung_in_messages_of_at_most_a_hundred(
    account: Account, listen: Listen
) -> None:
    event_ids = emit_many((NewEvent(type="order.shipped", data=n) for n in range(1_201)), account=account)
    assert [event.data for event in Event.objects.order_by("id")] == [str(n) for n in range(1_201)]
    assert sorted(event_ids) == event_ids
    rung = listen("fanout")
    # In 13 messages, 1,201 of which none has a hundred and none is small: 92.4 on average.
    assert {len(message.ids) for message in rung} == {92, 93}
    assert [identifier for message in rung for identifier in message.ids] == event_ids


def test_no_events_are_stored_as_none_and_nobody_is_rung(account: Account, listen: Listen) -> None:
    assert emit_many([], account=account) == []
    assert listen("fanout") == []


def test_one_bad_event_among_many_keeps_all_of_them_out(account: Account, listen: Listen) -> None:
    events = [NewEvent(type="order.shipped", data=n) for n in range(700)]
    with pytest.raises(EventTypeError):
        emit_many([*events, NewEvent(type="order shipped", data=0)], account=account)
    assert not Event.objects.exists()
    assert listen("fanout") == []


@pytest.mark.parametrize("event_type", ["a", "order", "order.shipped", "A-b_c.9", "x" * 128])
def test_event_types_are_words_with_dots_between(account: Account, event_type: str) -> None:
    emit(event_type, {}, account=account)
    assert Event.objects.get().type == event_type


@pytest.mark.parametrize(
    "event_type",
    [
        *("", ".", "order.", ".order", "order..shipped", "order shipped", "order/shipped", "*", "order.*"),
        *("bestellung.für", "x" * 129, "order\n", 'order","data":"', "order.\x00", "\ud800", None, 7, b"order"),
    ],
)
def test_another_event_type_is_refused_with_what_is_allowed(account: Account, event_type: Any) -> None:
    with pytest.raises(EventTypeError, match="up to 128 letters, digits, '_' and '-'") as error:
        emit(event_type, {}, account=account)
    assert error.value.field == "type"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("label", "value", "allowed"),
    [
        ("entity_type", "x" * 129, "up to 128 letters"),
        ("entity_type", "pro duct", "up to 128 letters"),
        ("action", "x" * 33, "up to 32 letters"),
        ("action", "UPDATE\n", "up to 32 letters"),
        ("subject", "x" * 2_049, "up to 2048 characters"),
        ("subject", "a\r\nb", "none of them a control character"),
        ("subject", "\ud800", "up to 2048 characters"),
        ("correlation_id", "x" * 257, "up to 256 characters"),
        ("correlation_id", "a\x00b", "none of them a control character"),
    ],
)
def test_a_wrong_label_is_named_with_what_is_allowed(account: Account, label: str, value: str, allowed: str) -> None:
    with pytest.raises(EventTypeError, match=f"^{label} .*{allowed}"):
        emit("order.shipped", {}, account=account, **{label: value})
    assert not Event.objects.exists()


@pytest.mark.parametrize("label", ["entity_type", "action", "subject", "correlation_id"])
def test_the_error_says_in_which_argument_the_wrong_label_was(account: Account, label: str) -> None:
    with pytest.raises(EventTypeError) as error:
        emit("order.shipped", {}, account=account, **{label: "\x00"})
    assert error.value.field == label


@pytest.mark.parametrize("value", [None, 7, b"x", ["x"]])
@pytest.mark.parametrize("label", ["entity_type", "action", "subject", "correlation_id"])
def test_a_label_that_is_no_text_is_refused_by_name(account: Account, label: str, value: Any) -> None:
    with pytest.raises(EventTypeError, match=f"^{label} "):
        emit("order.shipped", {}, account=account, **{label: value})
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("a\u2028é\x00", '"a\u2028é\\u0000"'),
        ([1.0, 1e21, 1e-7, -0.0], "[1,1e+21,1e-7,0]"),
        ({"b": 1, "2": 2, "1": 3}, '{"1":3,"2":2,"b":1}'),
        (Decimal("1.10"), '"1.10"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_data_is_stored_as_the_text_that_is_sent(account: Account, data: Any, text: str) -> None:
    emit("order.shipped", data, account=account)
    assert Event.objects.get().data == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (float("nan"), r"^data: nan is no JSON number"),
        ({"price": float("inf")}, r"^data\.price: inf is no JSON number"),
        ({"lines": [0, object()]}, r"^data\.lines\[1\]: a value of type object is not JSON; allowed are str, int"),
        ({1: "a"}, r"^data: a key of type int"),
        (b"bytes", r"^data: a value of type bytes"),
        ({"set": {1}}, r"^data\.set: a value of type set"),
        (10**400, r"^data: an integer that no double holds"),
    ],
)
def test_data_that_is_not_json_is_refused_with_its_place(account: Account, data: Any, says: str) -> None:
    with pytest.raises(EventDataError, match=says) as error:
        emit("order.shipped", data, account=account)
    assert error.value.field == "data"
    assert not Event.objects.exists()


def test_data_that_contains_itself_is_refused(account: Account) -> None:
    data: list[Any] = []
    data.append(data)
    with pytest.raises(EventDataError, match="nested more than 100 levels deep, or contains itself"):
        emit("order.shipped", data, account=account)


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_data_may_be_as_many_bytes_as_the_limit_and_not_one_more(account: Account, letter: str) -> None:
    size = len(letter.encode())
    # Two quotes stand around the letters, which are 1 to 4 bytes each; the rest is filled with single bytes.
    count, rest = divmod(LIMIT_BYTES - 2, size)
    data = letter * count + "x" * rest
    emit("order.shipped", data, account=account)
    assert len(Event.objects.get().data.encode()) == LIMIT_BYTES
    with pytest.raises(EventDataError, match=r"^data is 262,145 bytes of JSON; at most 262,144 are allowed$"):
        emit("order.shipped", data + "x", account=account)


def test_the_limit_is_a_setting(account: Account, settings: Settings) -> None:
    settings.WEBHOOKHUB = {"event_data_max_bytes": 4}
    emit("order.shipped", "xx", account=account)
    with pytest.raises(EventDataError, match="at most 4 are allowed"):
        emit("order.shipped", "xxx", account=account)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "named",
    [uuid4(), "acc_0192f0c1d5a37abc8123456789abcdef", "evt_0192f0c1d5a37abc8123456789abcdef", "", "Alice", None],
)
def test_an_unknown_account_is_refused_by_name(named: Any) -> None:
    with pytest.raises(UnknownAccountError) as error:
        emit("order.shipped", {}, account=named)
    assert error.value.field == "account"
    assert "acc" in str(error.value)
    assert not Event.objects.exists()


@pytest.mark.usefixtures("db")
def test_an_account_that_was_never_saved_is_unknown() -> None:
    with pytest.raises(UnknownAccountError):
        emit("order.shipped", {}, account=Account(name="ghost"))


def test_every_refusal_is_one_kind_of_error_and_a_value_error() -> None:
    assert issubclass(BadEventError, ValueError)
    for kind in (EventTypeError, EventDataError, UnknownAccountError):
        assert issubclass(kind, BadEventError)
