"""`manage.py create_key`: the first key, alone on standard output."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from webhookhub.callers import find_caller
from webhookhub.models import Account, ApiKey
from webhookhub.roles import Role


def create_key(*arguments: str) -> str:
    out = StringIO()
    call_command("create_key", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("db")
def test_without_more_said_it_is_an_operator_s_and_printed_alone() -> None:
    printed = create_key("the first")
    caller = find_caller(printed.removesuffix("\n"))
    assert caller is not None
    assert (caller.role, caller.account_id, caller.expires_at) == (Role.OPERATOR, None, None)
    assert ApiKey.objects.get().name == "the first"


@pytest.mark.parametrize("named", [True, False])
def test_a_key_of_an_account_names_it_unless_there_is_only_one(account: Account, named: bool) -> None:
    arguments = ["--account", account.shown_id] if named else []
    if named:
        Account.objects.create(name="Bob's shop")
    caller = find_caller(create_key("checkout", "--role", "publisher", *arguments).strip())
    assert caller is not None
    assert (caller.role, caller.account_id) == (Role.PUBLISHER, account.id)


@pytest.mark.usefixtures("db")
def test_a_key_may_have_an_end() -> None:
    create_key("for a while", "--expires-at", "2099-01-31T12:00:00+01:00")
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert expires_at.isoformat() == "2099-01-31T11:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["x", "--role", "owner"], "invalid choice"),
        (["x", "--role", "reader", "--account", "acc_0192f0c1d5a37abc8123456789abcdef"], "there is no account"),
        (["x", "--account", "nonsense"], "no account id"),
        (["x", "--account", "own"], "speaks for no account"),
        (["x", "--expires-at", "2001-01-01T00:00:00Z"], "past"),
        (["x", "--expires-at", "tomorrow"], "2027-01-31T12:00:00Z"),
        (["x", "--expires-at", "2099-01-01T00:00:00"], "2027-01-31T12:00:00Z"),
        (["x" * 201], "1 to 200 characters"),
        ([""], "1 to 200 characters"),
        ([], "required"),
    ],
)
def test_a_key_that_nobody_can_have_is_refused_with_what_would_be_right(
    account: Account, arguments: list[str], why: str
) -> None:
    arguments = [account.shown_id if argument == "own" else argument for argument in arguments]
    with pytest.raises(CommandError, match=why):
        create_key(*arguments)
    assert not ApiKey.objects.exists()
