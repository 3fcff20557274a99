"""How are keys handed out and taken back? By an account's administrators, for that account; by operators, for all."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webhookhub import ids
from webhookhub.api.bodies import Body, Choice, Moment, Text, read_body
from webhookhub.api.paging import page_by_id, read_page_request
from webhookhub.api.problems import Problem, invalid, not_found
from webhookhub.api.schema import ACCOUNT, PAGE, answers, example, example_page, page_of
from webhookhub.api.views import HubView, account_in_view, caller_of, one_account
from webhookhub.api_keys import generate_api_key, revoke_api_key, store_api_key
from webhookhub.models import Account, ApiKey
from webhookhub.moments import iso_moment
from webhookhub.roles import Right, Role

_SHOWN = {
    "id": "key_0192f0c1d5a37abc8123456789abcdef",
    "account": "acc_0192f0c1d5a37abc8123456789abcdef",
    "name": "The shop's checkout",
    "role": "publisher",
    "prefix": "whk_5f0c91d2",
    "createdAt": "2026-01-15T10:00:00.000Z",
    "expiresAt": "2027-01-15T10:00:00.000Z",
    "lastUsedAt": None,
    "revokedAt": None,
}


class KeyBody(Body):
    """A key to be made."""

    name = Text(max_length=200, help_text="Who uses it.")
    role = Choice([role.value for role in Role])
    expiresAt = Moment(
        default=None, allow_null=True, help_text="From when on it opens nothing any more; left out: never."
    )


class KeyShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A key, without what makes it one."""

    id = serializers.CharField()
    account = serializers.CharField(allow_null=True, help_text="Whom it speaks for; an operator's speaks for all.")
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=[role.value for role in Role])
    prefix = serializers.CharField(help_text="The first characters of the key, to tell keys apart.")
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    lastUsedAt = serializers.DateTimeField(allow_null=True, help_text="To within a minute.")
    revokedAt = serializers.DateTimeField(allow_null=True)


class NewKeyShown(KeyShown):
    """A new key. This is the only time that `key` is shown."""

    key = serializers.CharField(help_text="What goes into the header Authorization, behind `Bearer `.")


class KeysView(HubView):
    """The keys of an account; for operators, of all and their own."""

    rights: ClassVar = {"GET": Right.ADMINISTER, "POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="keys_list",
        summary="List keys",
        description="Revoked and expired ones too.",
        responses=answers(200, page_of(KeyShown)),
        parameters=[*PAGE, ACCOUNT],
        examples=[example_page(_SHOWN)],
        tags=["keys"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return Response(page_by_id(_keys_in_view(request), read_page_request(request)).show(show_key))

    @extend_schema(
        operation_id="keys_create",
        summary="Create a key",
        description="The answer shows the key, once. A key hands out no more than it has: only operators make keys of "
        "operators, and no key makes one that outlives it.",
        request=KeyBody,
        responses=answers(201, NewKeyShown),
        parameters=[ACCOUNT],
        examples=[
            OpenApiExample(
                "A publisher",
                value={"name": "The shop's checkout", "role": "publisher", "expiresAt": "2027-01-15T10:00:00Z"},
                request_only=True,
            ),
            example("A publisher", {**_SHOWN, "key": "whk_5f0c91d2" + "0123456789abcdef" * 3 + "01234567"}, 201),
        ],
        tags=["keys"],
    )
    def post(self, request: Request) -> Response:
        """A new one."""
        values = read_body(KeyBody, request.data)
        role, expires_at = Role(values["role"]), values["expiresAt"]
        account = _account_for(request, role)
        own_end = caller_of(request).expires_at
        if own_end is not None and (expires_at is None or expires_at > own_end):
            raise invalid(
                "expiresAt", f"this key expires at {iso_moment(own_end)}; one that it makes cannot outlive it"
            )
        key = generate_api_key()
        row = store_api_key(account, values["name"], key, role=role, expires_at=expires_at)
        return Response({**show_key(row), "key": key}, status=201)


class KeyView(HubView):
    """One key."""

    rights: ClassVar = {"GET": Right.ADMINISTER, "DELETE": Right.ADMINISTER}

    @extend_schema(
        operation_id="keys_get",
        summary="Show a key",
        responses=answers(200, KeyShown),
        examples=[example("A publisher", _SHOWN)],
        tags=["keys"],
    )
    def get(self, request: Request, key: str) -> Response:
        """Show it, without what makes it a key."""
        return Response(show_key(_find(request, key)))

    @extend_schema(
        operation_id="keys_revoke",
        summary="Revoke a key",
        description="It opens nothing any more, in every process within 5 seconds, and stays in the list.",
        responses=answers(204, words="It is revoked."),
        tags=["keys"],
    )
    def delete(self, request: Request, key: str) -> Response:
        """Take it back."""
        revoke_api_key(_find(request, key))
        return Response(status=204)


def show_key(key: ApiKey) -> dict[str, Any]:
    """The key as the API shows it: not what makes it one."""
    return {
        "id": ids.show("key", key.id),
        "account": None if key.account_id is None else ids.show("account", key.account_id),
        "name": key.name,
        "role": key.role,
        "prefix": key.prefix,
        "createdAt": iso_moment(key.created_at),
        "expiresAt": key.expires_at and iso_moment(key.expires_at),
        "lastUsedAt": key.last_used_at and iso_moment(key.last_used_at),
        "revokedAt": key.revoked_at and iso_moment(key.revoked_at),
    }


def _keys_in_view(request: Request) -> QuerySet[ApiKey]:
    account_id = account_in_view(request)
    return ApiKey.objects.all() if account_id is None else ApiKey.objects.filter(account_id=account_id)


def _find(request: Request, named: str) -> ApiKey:
    if (key := _keys_in_view(request).filter(id=ids.read("key", named)).first()) is None:
        raise not_found("key")
    return key


def _account_for(request: Request, role: Role) -> Account | None:
    """Whom a new key of this role speaks for. Raises a Problem where the caller cannot hand out so much."""
    if role == Role.OPERATOR:
        if not caller_of(request).may(Right.OPERATE):
            raise Problem(403, "role_not_sufficient", "Only an operator's key makes keys of operators.")
        if "account" in request.query_params:
            raise invalid(
                "role", "an operator's key speaks for all accounts; leave ?account= out, or name another role"
            )
        return None
    account = Account.objects.filter(id=one_account(request)).first()
    if account is None:
        raise not_found("account")
    return account
