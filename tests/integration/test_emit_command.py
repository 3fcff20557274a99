"""`manage.py emit`, one event or a file of them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.integration.conftest import Listen
from webhookhub import ids
from webhookhub.event_file import EventFile
from webhookhub.models import Account, Event

GOOD = b'{"type": "order.shipped", "data": {"n": 1}}'
FileOf = Callable[..., Path]


@pytest.fixture
def file_of(tmp_path: Path) -> FileOf:
    """Writes an ndjson file of these lines."""

    def write(*lines: bytes, end: bytes = b"\n") -> Path:
        path = tmp_path / "events.ndjson"
        path.write_bytes(end.join(lines))
        return path

    return write


def run(*arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("emit", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_one_event_is_recorded_and_its_id_said(account: Account, listen: Listen) -> None:
    out, _ = run("order.shipped", "--data", '{"n": 1}', "--account", account.shown_id)
    event = Event.objects.get()
    assert out.strip() == event.shown_id
    assert event.data == '{"n":1}'
    assert [rung.ids for rung in listen("fanout")] == [[event.id]]


@pytest.mark.usefixtures("account")
def test_every_label_has_an_option() -> None:
    run("a", "--data", "1", "--entity-type", "product", "--action", "UPDATE", "--subject", "s", "--correlation-id", "c")
    event = Event.objects.get()
    assert (event.entity_type, event.action, event.subject, event.correlation_id) == ("product", "UPDATE", "s", "c")


def test_the_only_account_need_not_be_named(account: Account) -> None:
    run("order.shipped", "--data", "{}")
    assert Event.objects.get().account_id == account.id


@pytest.mark.usefixtures("db")
def test_without_an_account_there_is_nothing_to_record_for() -> None:
    with pytest.raises(CommandError, match="there is no account yet"):
        run("order.shipped", "--data", "{}")


@pytest.mark.usefixtures("account")
def test_where_there_are_several_accounts_one_must_be_named() -> None:
    Account.objects.create(name="Bob's shop")
    with pytest.raises(CommandError, match="name the account: --account acc_"):
        run("order.shipped", "--data", "{}")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say what happened"),
        (["order.shipped"], "say what happened"),
        (["--data", "{}"], "say what happened"),
        (["order shipped", "--data", "{}"], "type 'order shipped' is not allowed"),
        (["order.shipped", "--data", "{'n': 1}"], "--data is not JSON"),
        (["order.shipped", "--data", "NaN"], "--data is not JSON"),
        (["order.shipped", "--data", ""], "--data is not JSON"),
        (["order.shipped", "--data", '"\udcff"'], "--data is not JSON"),  # what the shell passes on of a stray byte
        (["order.shipped", "--data", "{}", "--account", "Alice"], "'Alice' is not? account id"),
        (["order.shipped", "--data", "{}", "--account", "acc_" + "0" * 32], "there is no account acc_0000"),
        (["--file", "/nowhere.ndjson"], "No such file"),
        (["--file", "/"], "directory"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_recorded(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run(*arguments)
    assert not Event.objects.exists()


@pytest.mark.usefixtures("account")
def test_a_file_is_recorded_line_by_line_in_order(file_of: FileOf, listen: Listen) -> None:
    lines = [b'{"type":"order.shipped","data":%d}' % n for n in range(1_001)]
    out, _ = run("--file", file_of(*lines))
    assert out.strip() == "1001 events recorded"
    assert [event.data for event in Event.objects.order_by("id")] == [str(n) for n in range(1_001)]
    assert sum(len(rung.ids) for rung in listen("fanout")) == 1_001


@pytest.mark.usefixtures("account")
def test_a_line_may_carry_every_label(file_of: FileOf) -> None:
    run("--file", file_of(b'{"type":"a","data":1,"entityType":"e","action":"A","subject":"s","correlationId":"c"}'))
    event = Event.objects.get()
    assert (event.entity_type, event.action, event.subject, event.correlation_id) == ("e", "A", "s", "c")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blank_lines_and_either_line_end_are_fine(file_of: FileOf, end: bytes) -> None:
    out, _ = run("--file", file_of(b"", GOOD, b"   ", b"\t", GOOD, b"", end=end))
    assert out.strip() == "2 events recorded"


@pytest.mark.usefixtures("account")
def test_an_empty_file_has_no_events(file_of: FileOf, listen: Listen) -> None:
    out, _ = run("--file", file_of())
    assert out.strip() == "0 events recorded"
    assert listen("fanout") == []


BAD_LINES = [
    (b"{", "unexpected end of data"),
    (b"[]", 'expected an object with "type" and "data"'),
    (b"1", 'expected an object with "type" and "data"'),
    (b'{"type": "a"}', 'expected an object with "type" and "data"'),
    (b'{"data": {}}', 'expected an object with "type" and "data"'),
    (b'{"type": "a b", "data": {}}', "type 'a b' is not allowed"),
    (b'{"type": 1, "data": {}}', "type must be a string"),
    (b'{"type": "a", "data": {}, "subject": null}', "subject must be a string"),
    (b'{"type": "a", "data": {}, "entity_type": "x"}', "unknown key 'entity_type'; known are type, data, entityType"),
    (b'{"type": "a", "data": NaN}', "line 2"),
    (b'{"type": "a", "data": "\xff"}', "UTF-8"),
    (b'{"type": "a", "data": {}}{"type": "a", "data": {}}', "line 2"),
    (b'{"type": "a", "data": "' + b"x" * 300_000 + b'"}', "data is 300,002 bytes of JSON; at most 262,144"),
    (b"\x00", "line 2"),
    (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
]


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(("line", "says"), BAD_LINES)
def test_a_bad_line_is_named_by_its_number_and_nothing_is_recorded(
    line: bytes, says: str, file_of: FileOf, listen: Listen
) -> None:
    with pytest.raises(CommandError, match=r"^line 2: ") as error:
        run("--file", file_of(GOOD, line, GOOD))
    assert says in str(error.value)
    assert not Event.objects.exists()
    assert listen("fanout") == []


@pytest.mark.usefixtures("account")
def test_bad_lines_are_left_out_and_named_where_that_is_asked_for(file_of: FileOf) -> None:
    bad = [line for line, _ in BAD_LINES]
    out, err = run("--file", file_of(GOOD, *bad, GOOD), "--skip-bad")
    assert out.strip() == f"2 events recorded, {len(bad)} lines skipped"
    assert [said.split(":")[0] for said in err.splitlines()] == [f"skipped line {n}" for n in range(2, len(bad) + 2)]
    assert Event.objects.count() == 2


@pytest.mark.usefixtures("db")
def test_skipping_bad_lines_does_not_skip_an_unknown_account(file_of: FileOf) -> None:
    with pytest.raises(CommandError, match="there is no account"):
        run("--file", file_of(GOOD), "--skip-bad", "--account", ids.show("account", ids.new_id()))


def test_progress_never_falls_and_ends_at_the_whole(account: Account, file_of: FileOf) -> None:
    told: list[float] = []
    recorded = EventFile(file_of(*[GOOD] * 2_000), progress=told.append).emit(account=account)
    assert recorded == 2_000
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 2
