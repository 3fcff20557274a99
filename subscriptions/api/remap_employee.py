"""Who is calling, in the words of 002_44c3dd7dc10608b6.txt? Its lists link to an employee; here that is the API key."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.api.remap_shown import (
    EMPLOYEE_META_EXAMPLE,
    EMPLOYEE_METADATA_EXAMPLE,
    Hrefs,
    MetadataMetaShown,
    MetaShown,
    show_employee_meta,
    show_metadata_meta,
)
from webhookhub.api.schema import answers, example
from webhookhub.api.views import HubView, caller_of
from webhookhub.models import ApiKey
from webhookhub.roles import Role

_TAGS = ["remap 1.2"]


class EmployeeShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Whoever calls."""

    meta = MetaShown()
    id = serializers.UUIDField(help_text="Of the key.")
    accountId = serializers.UUIDField(allow_null=True, help_text="null: an operator, who speaks for all accounts.")
    name = serializers.CharField(help_text="Of the key.")
    role = serializers.ChoiceField(choices=[role.value for role in Role])


class EmployeeMetadataShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What there is to know of employees in general."""

    meta = MetadataMetaShown()
    roles = serializers.ListField(child=serializers.CharField(), help_text="Those that one can have.")


class EmployeeView(HubView):
    """The key that the request came with."""

    # Its own clients may send parameters that this hub does not know, as to any version of that interface.
    refuses_unknown_parameters = False
    rights: ClassVar = {"GET": None}

    @extend_schema(
        operation_id="remap_employee",
        summary="See who is calling",
        responses=answers(200, EmployeeShown),
        examples=[
            example(
                "An administrator",
                {
                    "meta": EMPLOYEE_META_EXAMPLE,
                    "id": "0192f0c1-d5a3-7abc-a123-456789abcdef",
                    "accountId": "0192f0c1-d5a3-7abc-9123-456789abcdef",
                    "name": "The shop's back office",
                    "role": "administrator",
                },
            )
        ],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """The key, as an employee."""
        caller = caller_of(request)
        return Response(
            {
                "meta": show_employee_meta(Hrefs.of(request)),
                "id": str(caller.key_id),
                "accountId": caller.account_id and str(caller.account_id),
                "name": ApiKey.objects.values_list("name", flat=True).get(id=caller.key_id),
                "role": caller.role.value,
            }
        )


class EmployeeMetadataView(HubView):
    """What employees are."""

    refuses_unknown_parameters = False
    rights: ClassVar = {"GET": None}

    @extend_schema(
        operation_id="remap_employee_metadata",
        summary="See what can be known of who is calling",
        responses=answers(200, EmployeeMetadataShown),
        examples=[
            example("All roles", {"meta": EMPLOYEE_METADATA_EXAMPLE, "roles": [role.value for role in Role]}),
        ],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """The roles there are."""
        meta = show_metadata_meta(Hrefs.of(request).employee_metadata)
        return Response({"meta": meta, "roles": [role.value for role in Role]})
