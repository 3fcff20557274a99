"""What do all views of the API share? A caller with a right, an account in view, and problem documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from webhookhub import ids
from webhookhub.api.authentication import KeyAuthentication
from webhookhub.api.parsing import StrictJSONParser
from webhookhub.api.problems import Problem, answer_exception, invalid, not_found, unknown_parameter
from webhookhub.api.rendering import AcceptNegotiation, JSONRenderer
from webhookhub.api.schema import documented_parameters
from webhookhub.callers import Caller
from webhookhub.errors import BadIdError
from webhookhub.models import Account
from webhookhub.roles import Right

# Read wherever there is an account in view.
ACCOUNT_PARAMETER = "account"


class HubView(APIView):
    """A view whose methods each need a right. `rights` names it for every method that the view has."""

    rights: ClassVar[Mapping[str, Right | None]]
    """None: whoever has a valid key."""
    # Webhooks are for accounts whose plan has them (002_44c3dd7dc10608b6.txt, "Webhook limits").
    needs_webhooks: ClassVar[bool] = False

    authentication_classes = (KeyAuthentication,)
    # Whether query parameters that the OpenAPI document does not name are refused, so that a misspelt filter is noticed.
    refuses_unknown_parameters: ClassVar[bool] = True

    # `check_permissions` says it all. REST framework's default would have the OpenAPI document say that no key is needed.
    permission_classes = ()
    parser_classes: Sequence[type[BaseParser]] = (StrictJSONParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AcceptNegotiation

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises a Problem for whoever may not call, and for parameters that nobody reads."""
        super().initial(request, *args, **kwargs)
        if self.refuses_unknown_parameters and request.query_params:
            self._check_parameters(request)

    def _check_parameters(self, request: Request) -> None:
        known = documented_parameters(self, "GET" if request.method == "HEAD" else str(request.method))
        for name in request.query_params:
            if name not in known and name != ACCOUNT_PARAMETER:
                raise unknown_parameter(name, known)

    def check_permissions(self, request: Request) -> None:
        """Raises a Problem (403) that says what is missing."""
        caller = caller_of(request)
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in self.rights:
            self.http_method_not_allowed(request)
        right = self.rights[method]
        if right is not None and not caller.may(right):
            detail = f"This key's role is {caller.role}; to {right.value} takes another."
            raise Problem(403, "role_not_sufficient", detail)
        if self.needs_webhooks and not caller.has_webhooks:
            raise plan_without_webhooks()

    @property
    def allowed_methods(self) -> list[str]:
        """What the header Allow names."""
        return [*self.rights, *(["HEAD"] if "GET" in self.rights else [])]

    def get_exception_handler(self) -> Any:
        """Problem documents, whatever the project's own views answer with."""
        return answer_exception


def plan_without_webhooks() -> Problem:
    """The account may not have any."""
    return Problem(403, "plan_without_webhooks", "The account's plan does not include webhooks.")


def caller_of(request: Request) -> Caller:
    """Who calls."""
    caller = request.auth
    assert isinstance(caller, Caller)
    return caller


def account_in_view(request: Request) -> UUID | None:
    """The account that the request is about: the caller's own, or the one that an operator names with `?account=`.

    None where an operator names none, which means all. Raises a Problem: 404 for an account that is not the caller's.
    """
    own = caller_of(request).account_id
    named = request.query_params.get(ACCOUNT_PARAMETER)
    if named is None or (own is not None and named == ids.show("account", own)):
        return own
    account_id = find_account_id(named)
    if account_id is None or own not in (None, account_id):
        raise not_found("account")
    return account_id


def one_account(request: Request) -> UUID:
    """The same where there has to be one. Raises a Problem (422) that says how an operator names it."""
    account_id = account_in_view(request)
    if account_id is None:
        raise invalid("account", "an operator says whose it is: ?account=acc_… or the account's uid")
    return account_id


def find_account_id(named: str) -> UUID | None:
    """The id behind `acc_…` or an account's own id (`uid`)."""
    return Account.objects.filter(id_or_uid("account", named)).values_list("id", flat=True).first()


def id_or_uid(kind: str, named: str) -> Q:
    """What finds a row by our id or by the caller's own. Never fails: what is neither finds nothing.

    Only the prefix makes an id ours: many a caller's own ids are UUIDs too.
    """
    try:
        if named.startswith(f"{ids.PREFIXES[kind]}_"):
            return Q(id=ids.read(kind, named))
        return Q(uid=named) if "\x00" not in named else Q(pk__in=())
    except BadIdError:
        return Q(pk__in=())
