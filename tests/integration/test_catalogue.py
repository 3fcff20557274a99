"""Events are checked against the schemas of their types, for accounts that want it; for the others it costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from webhookhub import catalogue
from webhookhub.accounts import change_account
from webhookhub.catalogue import KEPT_SECONDS, check_against_schemas, forget_catalogue, unknown_types
from webhookhub.errors import EventFileError, EventSchemaError
from webhookhub.event_file import EventFile
from webhookhub.event_types import change_event_type, create_event_type, expunge_event_type
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.models import Account, Event, EventType

TYPE = "order.shipped"
SCHEMA = {"type": "object", "required": ["orderId"], "properties": {"orderId": {"type": "string"}}}
GOOD, BAD = {"orderId": "ord_1"}, {"orderId": 1}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """The catalogue is kept for longer than a test lasts."""
    forget_catalogue()
    yield
    forget_catalogue()


@pytest.fixture
def event_type(db: None) -> EventType:
    """A type whose data have to have an order's id."""
    return create_event_type(TYPE, {"schema": SCHEMA})


@pytest.fixture
def validating(account: Account) -> Account:
    """An account whose events have to fit."""
    change_account(account, {"validates_events": True})
    return account


@pytest.mark.usefixtures("event_type")
def test_an_event_that_does_not_fit_its_schema_is_refused_and_nothing_is_stored(validating: Account) -> None:
    with pytest.raises(EventSchemaError, match=r'^data\.orderId: this is not of type "string"$') as error:
        emit(TYPE, BAD, account=validating)
    assert error.value.field == "data"
    with pytest.raises(EventSchemaError):
        emit_many([NewEvent(type=TYPE, data=data) for data in (GOOD, BAD)], account=validating)
    assert not Event.objects.exists()


@pytest.mark.usefixtures("event_type")
def test_events_that_fit_and_types_without_a_schema_are_accepted(validating: Account) -> None:
    create_event_type("order.seen", {})
    for name, data in ((TYPE, GOOD), ("order.seen", BAD), ("order.unheard_of", BAD)):
        emit(name, data, account=validating)
    assert Event.objects.count() == 3


@pytest.mark.usefixtures("event_type")
def test_an_account_that_does_not_ask_for_it_publishes_any_data(validating: Account) -> None:
    other = Account.objects.create(name="Bob's shop")
    emit(TYPE, BAD, account=other)
    assert Event.objects.get().account_id == other.id


@pytest.mark.usefixtures("event_type")
def test_beginning_and_ending_to_validate_counts_at_once_in_this_process(account: Account) -> None:
    emit(TYPE, BAD, account=account)
    change_account(account, {"validates_events": True})
    with pytest.raises(EventSchemaError):
        emit(TYPE, BAD, account=account)
    change_account(account, {"validates_events": False})
    emit(TYPE, BAD, account=account)


def test_every_change_of_a_schema_counts_at_once_in_this_process(event_type: EventType, validating: Account) -> None:
    emit(TYPE, GOOD, account=validating)
    change_event_type(event_type, {"schema": {"type": "array"}})
    with pytest.raises(EventSchemaError, match="array"):
        emit(TYPE, GOOD, account=validating)
    change_event_type(event_type, {"schema": None})
    emit(TYPE, BAD, account=validating)
    change_event_type(event_type, {"schema": False})
    with pytest.raises(EventSchemaError):
        emit(TYPE, BAD, account=validating)
    expunge_event_type(event_type)
    emit(TYPE, BAD, account=validating)


def test_the_schema_of_an_archived_type_still_counts(event_type: EventType, validating: Account) -> None:
    change_event_type(event_type, {"archived": True})
    with pytest.raises(EventSchemaError):
        emit(TYPE, BAD, account=validating)


def test_what_is_sent_is_checked_and_not_what_was_given(validating: Account) -> None:
    texts = {"items": {"type": "string"}}
    create_event_type(TYPE, {"schema": texts})
    sent_as_texts = [UUID(int=7 << 76), Decimal("1.50"), datetime(2026, 1, 1, tzinfo=UTC)]
    emit(TYPE, sent_as_texts, account=validating)
    with pytest.raises(EventSchemaError, match=r"^data\[1\]: "):
        emit(TYPE, ["1.50", 1.5], account=validating)


def elsewhere() -> None:
    """A change that another process makes: this one is not told."""
    Account.objects.update(validates_events=True)
    EventType.objects.update(schema=SCHEMA)


@pytest.mark.usefixtures("event_type")
def test_a_change_made_elsewhere_counts_after_two_seconds(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [NewEvent(type=TYPE, data=BAD)]
    check_against_schemas(account.id, events)
    elsewhere()
    check_against_schemas(account.id, events)
    now = time.monotonic()
    monkeypatch.setattr(catalogue.time, "monotonic", lambda: now + KEPT_SECONDS + 0.1)
    with pytest.raises(EventSchemaError):
        check_against_schemas(account.id, events)


@pytest.mark.usefixtures("event_type")
def test_the_hot_path_pays_no_query_while_the_catalogue_is_fresh(
    validating: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = Account.objects.create(name="Bob's shop")
    events = [NewEvent(type=TYPE, data=GOOD)] * 100
    check_against_schemas(validating.id, events)
    with django_assert_num_queries(0):
        check_against_schemas(validating.id, events)
        check_against_schemas(other.id, events)


@pytest.mark.usefixtures("event_type")
def test_while_no_account_validates_the_catalogue_costs_one_query_and_no_schema_is_read(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        check_against_schemas(account.id, [NewEvent(type=TYPE, data=BAD)])


@pytest.mark.usefixtures("event_type")
def test_a_schema_that_did_not_change_is_not_read_again(
    validating: Account, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [NewEvent(type=TYPE, data=GOOD)]
    check_against_schemas(validating.id, events)
    now = time.monotonic()
    monkeypatch.setattr(catalogue.time, "monotonic", lambda: now + KEPT_SECONDS + 0.1)
    with django_assert_num_queries(2):
        check_against_schemas(validating.id, events)


def test_a_schema_that_was_written_past_the_checks_keeps_no_event_out(
    validating: Account, log: pytest.LogCaptureFixture
) -> None:
    EventType.objects.create(name=TYPE, schema={"type": "nonsense"})
    create_event_type("order.paid", {"schema": SCHEMA})
    emit(TYPE, BAD, account=validating)
    assert "unusable schema" in log.text
    with pytest.raises(EventSchemaError):
        emit("order.paid", BAD, account=validating)


@pytest.mark.usefixtures("event_type")
def test_a_line_of_a_file_that_does_not_fit_is_named_or_skipped(validating: Account, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text('{"type": "order.shipped", "data": {"orderId": "a"}}\n{"type": "order.shipped", "data": 5}\n')
    with pytest.raises(EventFileError, match=r"^line 2: data: "):
        EventFile(file).emit(account=validating)
    assert not Event.objects.exists()
    skipping = EventFile(file)
    assert skipping.emit(account=validating, skip_bad=True) == 1
    assert [problem.line_number for problem in skipping.problems] == [2]


def test_types_that_the_catalogue_does_not_offer_are_unknown(event_type: EventType) -> None:
    change_event_type(create_event_type("order.old", {}), {"archived": True})
    assert unknown_types([TYPE, "order.old", "order.unheard_of"]) == {"order.old", "order.unheard_of"}
    assert unknown_types([]) == set()
