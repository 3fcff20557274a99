"""How does the OpenAPI document describe what all routes share? Problems, pages and the parameters of lists."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.views import APIView

from webhookhub.api.paging import DEFAULT_LIMIT, MAX_LIMIT


class FieldErrorShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """One field that is wrong."""

    field = serializers.CharField()
    message = serializers.CharField()


class ProblemShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A problem document (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable: what a program can decide by.")
    detail = serializers.CharField(help_text="For people: what is wrong, and what would be right.")
    errors = FieldErrorShown(many=True, required=False)  # type: ignore[assignment]  # a declared field, not the property


_WORDS = {
    400: "The body is not JSON.",
    401: "No valid key.",
    403: "The key's role or the account's plan does not go so far.",
    404: "There is none, or it is another account's.",
    406: "The API answers in JSON.",
    409: "It is not in a state for this, or another one is in the way.",
    413: "The body is too large.",
    415: "The body has to be application/json.",
    422: "A field or parameter is wrong; `errors` names it.",
    429: "Too many requests.",
    503: "Not now: try again after `Retry-After` seconds.",
}
# What every route may answer.
_EVERYWHERE = (400, 401, 403, 404, 406, 413, 415, 422, 503)


def answers(status: int, shown: Any = None, *further: int, words: str = "") -> dict[Any, Any]:
    """The `responses` of a route: what it answers when all is well, the refusals of every route, and `further` ones."""
    fine = OpenApiResponse(shown if shown is not None else None, description=words)
    return {status: fine} | {
        (code, "application/problem+json"): OpenApiResponse(ProblemShown, description=_WORDS[code])
        for code in (*_EVERYWHERE, *further)
    }


def page_of(shown: type[serializers.Serializer[Any]]) -> Any:
    """The page that a list answers with."""
    return inline_serializer(
        name=shown.__name__.removesuffix("Shown") + "Page",
        fields={
            "items": shown(many=True),
            "next": serializers.CharField(allow_null=True, help_text="The `cursor` of the next page."),
            "previous": serializers.CharField(allow_null=True, help_text="The `cursor` of the page before."),
            "done": serializers.BooleanField(help_text="Whether this is the last page."),
        },
    )


def example(name: str, value: Any, *statuses: int) -> OpenApiExample:
    """What a route answers when all is well: with 200, or with these statuses."""
    return OpenApiExample(name, value=value, response_only=True, status_codes=list(map(str, statuses or (200,))))


def example_page(item: Any) -> OpenApiExample:
    """The same of a list."""
    return example("A page", {"items": [item], "next": None, "previous": None, "done": True})


def parameter(
    name: str, words: str, *, of: Any = OpenApiTypes.STR, many: bool = False, **more: Any
) -> OpenApiParameter:
    """A query parameter; with `many` it may be repeated, or hold several values between commas."""
    return OpenApiParameter(name, of, many=many, description=words, **more)


def documented_parameters(view: APIView, method: str) -> frozenset[str]:
    """The query parameters that the document names for this method of the view: what `extend_schema` was given."""
    schema: Any = getattr(view, method.lower()).kwargs["schema"]()
    schema.view, schema.method = view, method
    parameters: list[OpenApiParameter] = schema.get_override_parameters()
    return frozenset(one.name for one in parameters if one.location == OpenApiParameter.QUERY)


ACCOUNT = parameter("account", "For operators: whose, as `acc_…` or the account's uid.")
PAGE = (
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
    parameter("cursor", "The `next` or `previous` of another page of the same list."),
    parameter("order", "`desc`: the newest first.", enum=["desc", "asc"]),
)
PAGE_BY_NAME = (*PAGE[:-1], parameter("order", "`asc`: from a to z.", enum=["asc", "desc"]))
WINDOW = (
    parameter("since", "From this moment on.", of=OpenApiTypes.DATETIME),
    parameter("until", "Before this moment.", of=OpenApiTypes.DATETIME),
)
