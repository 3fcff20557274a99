"""How does the interface of 002_44c3dd7dc10608b6.txt show things? By its own field names, with links that can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from subscriptions.models import Subscription
from webhookhub.api.schema import example

ACTIONS = ("CREATE", "UPDATE", "DELETE")
METHOD = "POST"
_JSON = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hrefs:
    """Where everything is, as absolute URLs of the host by which the caller reached us."""

    webhooks: str
    metadata: str
    employee: str
    employee_metadata: str

    @classmethod
    def of(cls, request: Request) -> Self:
        """Raises NoReverseMatch where a project has not mounted `remap_urls`."""

        def absolute(name: str) -> str:
            return str(reverse(f"remap:{name}", request=request))

        return cls(
            webhooks=absolute("webhooks"),
            metadata=absolute("metadata"),
            employee=absolute("employee"),
            employee_metadata=absolute("employee-metadata"),
        )


def show_webhook(row: Subscription, hrefs: Hrefs) -> dict[str, Any]:
    """A webhook that names an entity type and an action."""
    return {
        "meta": {
            "href": f"{hrefs.webhooks}/{row.id}",
            "metadataHref": hrefs.metadata,
            "type": "webhook",
            "mediaType": _JSON,
        },
        "id": str(row.id),
        "accountId": str(row.account_id),
        "entityType": row.entity_type,
        "url": row.url,
        "method": METHOD,
        "enabled": row.enabled,
        "action": row.action,
    }


def show_list(rows: Sequence[Subscription], hrefs: Hrefs, *, size: int, limit: int, offset: int) -> dict[str, Any]:
    """Some of `size` webhooks: up to `limit` of them, those behind the first `offset`."""
    return {
        "context": {"employee": {"meta": show_employee_meta(hrefs)}},
        "meta": {
            "href": hrefs.webhooks,
            "type": "webhook",
            "mediaType": _JSON,
            "size": size,
            "limit": limit,
            "offset": offset,
        },
        "rows": [show_webhook(row, hrefs) for row in rows],
    }


def show_employee_meta(hrefs: Hrefs) -> dict[str, str]:
    """Where whoever calls is described."""
    return {
        "href": hrefs.employee,
        "metadataHref": hrefs.employee_metadata,
        "type": "employee",
        "mediaType": _JSON,
    }


def show_metadata_meta(href: str) -> dict[str, str]:
    """The head of a description of a kind of thing."""
    return {"href": href, "mediaType": _JSON}


class MetaShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What a thing is, and where."""

    href = serializers.URLField()
    metadataHref = serializers.URLField()
    type = serializers.CharField()
    mediaType = serializers.CharField()


class MetadataMetaShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Where a description is."""

    href = serializers.URLField()
    mediaType = serializers.CharField()


class ListMetaShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Which part of a list this is."""

    href = serializers.URLField()
    type = serializers.CharField()
    mediaType = serializers.CharField()
    size = serializers.IntegerField(help_text="Of all that there are.")
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class EntityWebhookShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A webhook that hears of one action on one type of entity."""

    meta = MetaShown()
    id = serializers.UUIDField()
    accountId = serializers.UUIDField()
    entityType = serializers.CharField()
    url = serializers.CharField()
    method = serializers.ChoiceField([METHOD])
    enabled = serializers.BooleanField()
    action = serializers.ChoiceField(ACTIONS)


class EmployeeRefShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A link to whoever calls."""

    meta = MetaShown()


class ContextShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Who asked."""

    employee = EmployeeRefShown()


class EntityWebhookListShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A part of the list of webhooks."""

    context = ContextShown()  # type: ignore[assignment]  # a declared field, not the property
    meta = ListMetaShown()
    rows = EntityWebhookShown(many=True)


_HREFS = Hrefs(
    webhooks="https://hub.example.com/api/remap/1.2/entity/webhook",
    metadata="https://hub.example.com/api/remap/1.2/entity/webhook/metadata",
    employee="https://hub.example.com/api/remap/1.2/context/employee",
    employee_metadata="https://hub.example.com/api/remap/1.2/entity/employee/metadata",
)
_SHOWN = {
    "meta": {
        "href": f"{_HREFS.webhooks}/0192f0c1-d5a3-7abc-8123-456789abcdef",
        "metadataHref": _HREFS.metadata,
        "type": "webhook",
        "mediaType": _JSON,
    },
    "id": "0192f0c1-d5a3-7abc-8123-456789abcdef",
    "accountId": "0192f0c1-d5a3-7abc-9123-456789abcdef",
    "entityType": "service",
    "url": "http://www.example.com",
    "method": METHOD,
    "enabled": True,
    "action": "CREATE",
}
EMPLOYEE_META_EXAMPLE = show_employee_meta(_HREFS)
EMPLOYEE_METADATA_EXAMPLE = show_metadata_meta(_HREFS.employee_metadata)
METADATA_EXAMPLE = show_metadata_meta(_HREFS.metadata)
WEBHOOK_EXAMPLE = example("A webhook", _SHOWN)
LIST_EXAMPLE = example("The only one", show_list([], _HREFS, size=1, limit=25, offset=0) | {"rows": [_SHOWN]})
