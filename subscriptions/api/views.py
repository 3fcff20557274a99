"""What do the routes of webhooks share? Whose webhook is meant, and how their fields are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription
from webhookhub import ids
from webhookhub.api.problems import answer_exception, camel, invalid, not_found
from webhookhub.api.views import HubView, account_in_view, caller_of, id_or_uid, one_account, plan_without_webhooks
from webhookhub.models import Account
from webhookhub.roles import Right

OWN_PREFIX = ids.PREFIXES["subscription"] + "_"
# Where the API's JSON has another name than the row.
_NAMES = {"event_types": "events", "payload_filter": "filter"}


class WebhookView(HubView):
    """A route of webhooks: for their account's administrators, and for accounts whose plan has them."""

    rights: ClassVar[Mapping[str, Right | None]]
    needs_webhooks = True

    def get_exception_handler(self) -> Any:
        """Problem documents that call fields by the names that the API has for them."""
        return _answer_exception


def _answer_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    if isinstance(error, SubscriptionError):
        return answer_exception(invalid(_name_in_api(error.field), str(error)), context)
    return answer_exception(error, context)


def _name_in_api(field: str) -> str:
    """`event_types` is `events`, `auth.token_url` is `auth.tokenUrl`; the names of headers are the caller's own."""
    head, dot, rest = field.partition(".")
    return _NAMES.get(head, camel(head)) + dot + (rest if head == "headers" else camel(rest))


def account_with_webhooks(request: Request) -> UUID:
    """The account that gets a new webhook. Raises a Problem: 422 where an operator names none, 403 where its plan has none."""
    account_id = one_account(request)
    # An operator's own plan has all; an administrator's has been asked.
    is_operator = caller_of(request).account_id is None
    if is_operator and not Account.objects.filter(id=account_id, has_webhooks=True).exists():
        raise plan_without_webhooks()
    return account_id


def webhooks_in_view(request: Request) -> QuerySet[Subscription]:
    """Those of the account that the request is about; all of them where an operator names none."""
    account_id = account_in_view(request)
    rows = Subscription.objects.select_related("circuit")
    return rows if account_id is None else rows.filter(account_id=account_id)


def find_webhook(request: Request, named: str) -> Subscription:
    """The webhook that a path names by our id or the caller's own. Raises a Problem: 404 where it is not the caller's."""
    found = look_up_webhook(request, named)
    if found is None:
        raise not_found("webhook")
    return found


def look_up_webhook(request: Request, named: str) -> Subscription | None:
    """The same, and None where there is none. Raises a Problem (422) where an operator's uid is that of several."""
    found = list(webhooks_in_view(request).filter(id_or_uid("subscription", named))[:2])
    if len(found) > 1:
        raise invalid("account", "several accounts have a webhook of this uid; name one: ?account=acc_…")
    return found[0] if found else None
