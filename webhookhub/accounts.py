"""Which account is meant? By its id, or the only one there is."""

from __future__ import annotations

from webhookhub.errors import BadIdError, UnknownAccountError
from webhookhub.models import Account, account_id_of


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
