"""How are accounts looked after? By whoever runs the hub; every other key may look at its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webhookhub.accounts import change_account, create_account, delete_account, get_or_create_account
from webhookhub.api.bodies import Body, Flag, Metadata, Text, Uid, read_body
from webhookhub.api.paging import page_by_id, read_page_request
from webhookhub.api.problems import invalid, not_found
from webhookhub.api.schema import PAGE, answers, example, example_page, page_of, parameter
from webhookhub.api.views import HubView, caller_of, id_or_uid
from webhookhub.models import Account
from webhookhub.moments import iso_moment
from webhookhub.roles import Right

# Body field -> column.
_COLUMNS = {
    "name": "name",
    "uid": "uid",
    "contactEmail": "contact_email",
    "hasWebhooks": "has_webhooks",
    "validatesEvents": "validates_events",
    "metadata": "metadata",
}
_GIVEN = {"name": "Alice's shop", "uid": "customer-42", "contactEmail": "alice@example.com"}
_SHOWN = {
    "id": "acc_0192f0c1d5a37abc8123456789abcdef",
    **_GIVEN,
    "hasWebhooks": True,
    "validatesEvents": False,
    "metadata": {},
    "createdAt": "2026-01-15T10:00:00.000Z",
}


class AccountBody(Body):
    """An account as its operator wants it."""

    name = Text(max_length=200)
    uid = Uid(default=None, help_text="The customer's id in your own system; it is accepted wherever our id is.")
    contactEmail = serializers.EmailField(
        max_length=254, default=None, allow_null=True, help_text="Who is told when a webhook stops responding."
    )
    hasWebhooks = Flag(default=True, help_text="Whether the account's plan includes webhooks.")
    validatesEvents = Flag(
        default=False, help_text="Whether an event has to fit the JSON Schema of its type to be accepted."
    )
    metadata = Metadata(default=dict)


class AccountShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """An account."""

    id = serializers.CharField()
    uid = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    contactEmail = serializers.CharField(allow_null=True)
    hasWebhooks = serializers.BooleanField()
    validatesEvents = serializers.BooleanField()
    metadata = serializers.DictField()
    createdAt = serializers.DateTimeField()


_ANSWER = example("An account", _SHOWN, 200, 201)
_REQUEST = OpenApiExample("An account", value=_GIVEN, request_only=True)


class AccountsView(HubView):
    """All accounts."""

    rights: ClassVar = {"GET": Right.OPERATE, "POST": Right.OPERATE}

    @extend_schema(
        operation_id="accounts_list",
        summary="List accounts",
        responses=answers(200, page_of(AccountShown)),
        parameters=[*PAGE, parameter("uid", "The one with this uid, if there is one.")],
        examples=[example_page(_SHOWN)],
        tags=["accounts"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        rows = Account.objects.all()
        if (uid := request.query_params.get("uid")) is not None:
            # No uid has a space, and PostgreSQL takes no NUL.
            rows = rows.filter(uid=uid.replace("\x00", " "))
        return Response(page_by_id(rows, read_page_request(request)).show(show_account))

    @extend_schema(
        operation_id="accounts_create",
        summary="Create an account",
        request=AccountBody,
        responses=answers(201, AccountShown, 409)
        | answers(200, AccountShown, words="It was there already: `ifExists`."),
        parameters=[parameter("ifExists", "`get`: answer with the account of this `uid`, unchanged.", enum=["get"])],
        examples=[_REQUEST, _ANSWER],
        tags=["accounts"],
    )
    def post(self, request: Request) -> Response:
        """A new one, or the one that has the uid where that is asked for."""
        values = _read_columns(read_body(AccountBody, request.data))
        match request.query_params.get("ifExists"):
            case None:
                account, is_new = create_account(values), True
            case "get":
                account, is_new = get_or_create_account(values)
            case _:
                raise invalid("ifExists", "is `get`, or left out")
        return Response(show_account(account), status=201 if is_new else 200)


class AccountView(HubView):
    """One account, by our id or its uid."""

    rights: ClassVar = {
        "GET": Right.READ,
        "PUT": Right.OPERATE,
        "PATCH": Right.OPERATE,
        "DELETE": Right.OPERATE,
    }

    @extend_schema(
        operation_id="accounts_get",
        summary="Show an account",
        description="Operators see all; the key of an account sees its own.",
        responses=answers(200, AccountShown),
        examples=[_ANSWER],
        tags=["accounts"],
    )
    def get(self, request: Request, account: str) -> Response:
        """Show it."""
        return Response(show_account(_find(request, account)))

    @extend_schema(
        operation_id="accounts_replace",
        summary="Replace an account",
        description="Fields that are left out get their defaults; only the uid stays, where the path names the account by it.",
        request=AccountBody,
        responses=answers(200, AccountShown, 409),
        examples=[_REQUEST, _ANSWER],
        tags=["accounts"],
    )
    def put(self, request: Request, account: str) -> Response:
        """Give it these values and no others."""
        row = _find(request, account)
        values = read_body(AccountBody, request.data)
        if row.uid == account and "uid" not in request.data:
            # Else the path would lead nowhere from now on.
            values["uid"] = account
        change_account(row, _read_columns(values))
        return Response(show_account(row))

    @extend_schema(
        operation_id="accounts_change",
        summary="Change fields of an account",
        description="Fields that are left out stay as they are. `metadata` is replaced as a whole.",
        request=AccountBody,
        responses=answers(200, AccountShown, 409),
        examples=[
            OpenApiExample("Check its events", value={"validatesEvents": True}, request_only=True),
            OpenApiExample("An account", value={**_SHOWN, "validatesEvents": True}, response_only=True),
        ],
        tags=["accounts"],
    )
    def patch(self, request: Request, account: str) -> Response:
        """Change what is named."""
        row = _find(request, account)
        change_account(row, _read_columns(read_body(AccountBody, request.data, partial=True)))
        return Response(show_account(row))

    @extend_schema(
        operation_id="accounts_delete",
        summary="Delete an account",
        description="With its webhooks, keys and jobs. Nothing more is sent of it; what it recorded is removed within the "
        "hour, and seen by operators alone until then.",
        responses=answers(204, words="It is gone."),
        tags=["accounts"],
    )
    def delete(self, request: Request, account: str) -> Response:
        """Remove it and what belongs to it."""
        delete_account(_find(request, account))
        return Response(status=204)


def show_account(account: Account) -> dict[str, Any]:
    """The account as the API shows it."""
    return {
        "id": account.shown_id,
        "uid": account.uid,
        "name": account.name,
        "contactEmail": account.contact_email or None,
        "hasWebhooks": account.has_webhooks,
        "validatesEvents": account.validates_events,
        "metadata": account.metadata,
        "createdAt": iso_moment(account.created_at),
    }


def _find(request: Request, named: str) -> Account:
    own = caller_of(request).account_id
    rows = Account.objects.all() if own is None else Account.objects.filter(id=own)
    if (account := rows.filter(id_or_uid("account", named)).first()) is None:
        raise not_found("account")
    return account


def _read_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {_COLUMNS[name]: value for name, value in values.items()}
    if columns.get("contact_email", "") is None:
        columns["contact_email"] = ""
    return columns
