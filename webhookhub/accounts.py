"""Which accounts are there, and how do they come, change and go? Plain functions over the rows, for the API and scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, connection, transaction

from webhookhub import doorbell
from webhookhub.callers import forget_callers
from webhookhub.catalogue import forget_catalogue
from webhookhub.errors import BadIdError, ConflictError, UnknownAccountError
from webhookhub.models import Account, IdempotencyKey, account_id_of
from webhookhub.uids import check_uid

FORGET_TASK = "deliveries.forget_accounts"


def find_account(named: str | None) -> Account:
    """The account with this id; without one, the only account there is. Raises UnknownAccountError."""
    if named is None:
        accounts = list(Account.objects.order_by("id")[:2])
        if len(accounts) != 1:
            raise UnknownAccountError(
                "there is no account yet" if not accounts else "name the account: --account acc_…"
            )
        return accounts[0]
    try:
        return Account.objects.get(id=account_id_of(named))
    except BadIdError as error:
        raise UnknownAccountError(str(error)) from None
    except Account.DoesNotExist:
        raise UnknownAccountError(f"there is no account {named}") from None


def create_account(values: Mapping[str, Any]) -> Account:
    """A new account with these values, named as the model's fields. Raises BadUidError, ConflictError."""
    with _saving(values.get("uid")):
        return Account.objects.create(**values)


def get_or_create_account(values: Mapping[str, Any]) -> tuple[Account, bool]:
    """The account with this uid, unchanged, and False; where there is none, a new one and True. Raises BadUidError."""
    existing = Account.objects.filter(uid=values["uid"])
    if values["uid"] is not None and (found := existing.first()) is not None:
        return found, False
    try:
        return create_account(values), True
    except ConflictError:
        # Somebody else made it in between.
        return existing.get(), False


def change_account(account: Account, values: Mapping[str, Any]) -> None:
    """Give the account these values and leave the others as they are.

    It counts at once in this process, and within seconds in others. Raises BadUidError, ConflictError, and DoesNotExist
    where the account is gone.
    """
    if not values:
        return
    with _saving(values.get("uid")):
        if not Account.objects.filter(id=account.id).update(**values):
            raise Account.DoesNotExist
    for name, value in values.items():
        setattr(account, name, value)


def delete_account(account: Account) -> None:
    """Remove the account with its webhooks, keys and jobs. Its keys open nothing any more.

    What it recorded is removed by a worker, and seen by operators alone until then; nothing more of it is sent. Raises
    DoesNotExist where it is gone already.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # In one statement, by the tables' own cascades: whoever gives it something at this moment waits, and finds it gone.
        cursor.execute("DELETE FROM webhookhub_account WHERE id = %s", [account.id])
        if not cursor.rowcount:
            raise Account.DoesNotExist
        IdempotencyKey.objects.filter(account_id=account.id).delete()
        transaction.on_commit(_forget)
        doorbell.ring_on_commit(FORGET_TASK, [account.id], queue=doorbell.MAINTENANCE)


@contextmanager
def _saving(uid: str | None) -> Iterator[None]:
    """Around what writes an account that is to have this uid. Raises BadUidError, ConflictError."""
    if uid is not None:
        check_uid("account", uid)
    try:
        with transaction.atomic():
            transaction.on_commit(_forget)
            yield
    except IntegrityError:
        raise ConflictError("another account has this uid", field="uid", code="uid_taken") from None


def _forget() -> None:
    """What this process remembers of keys' accounts, and of who validates, is out of date."""
    forget_callers()
    forget_catalogue()
