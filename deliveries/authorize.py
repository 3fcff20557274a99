"""Which requests have the access token that they need? Those of webhooks with OAuth2 credentials go with one, or wait for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, assert_never
from uuid import UUID

from deliveries.admit import Admitted
from deliveries.claim import Claim
from deliveries.engine import Flight, Landing
from deliveries.patience import patiently
from deliveries.tokens import Failing, Missing, Ready, TokenState, load_tokens
from deliveries.transport import FailureKind, NoAnswer, Request, Timings
from subscriptions.auth import OAuth2Auth
from subscriptions.endpoints import Endpoint

_NOT_SENT = Request(url="", headers=(), body=b"", timeout_seconds=0)


class Want(NamedTuple):
    """A token that should be fetched, by a worker that has the credentials at hand."""

    subscription_id: UUID
    version: int
    """Of the subscription when its credentials were read: others may hold by now."""
    auth: OAuth2Auth
    deliveries: tuple[UUID, ...]
    """Those that wait for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorization:
    """A batch, sorted by its webhooks' tokens."""

    ready: list[Admitted] = field(default_factory=list)
    """With their tokens, and those that need none."""
    waiting: list[Admitted] = field(default_factory=list)
    failing: list[tuple[Claim, Endpoint, str]] = field(default_factory=list)
    due: list[Endpoint] = field(default_factory=list)
    """Endpoints whose token is used, and should be replaced."""


def authorize(admitted: Sequence[Admitted]) -> Authorization:
    """Give each request of a webhook with OAuth2 credentials its token. One statement, and none where there is no such webhook."""
    needing = {endpoint.subscription_id for _, endpoint in admitted if isinstance(endpoint.auth, OAuth2Auth)}
    if not needing:
        return Authorization(ready=list(admitted))
    return sort_by_token(admitted, patiently(partial(load_tokens, needing)))


def sort_by_token(admitted: Sequence[Admitted], tokens: Mapping[UUID, TokenState]) -> Authorization:
    """Sort the claims by the tokens that there are. Pure."""
    authorization = Authorization()
    authorized: dict[UUID, Endpoint] = {}
    for claim, endpoint in admitted:
        if not isinstance(endpoint.auth, OAuth2Auth):
            authorization.ready.append((claim, endpoint))
            continue
        match tokens.get(endpoint.subscription_id, Missing(is_asked=False)):
            case Ready(token=token, is_due=is_due):
                if endpoint.subscription_id not in authorized:
                    authorized[endpoint.subscription_id] = replace(endpoint, auth=token)
                    if is_due:
                        authorization.due.append(endpoint)
                authorization.ready.append((claim, authorized[endpoint.subscription_id]))
            case Missing():
                authorization.waiting.append((claim, endpoint))
            case Failing(reason=reason):
                authorization.failing.append((claim, endpoint, reason))
            case state:
                assert_never(state)
    return authorization


def wants_of(authorization: Authorization) -> list[Want]:
    """The tokens that should be fetched, each with the deliveries that wait for it. Pure."""
    endpoints = {endpoint.subscription_id: endpoint for endpoint in authorization.due}
    deliveries: dict[UUID, list[UUID]] = {}
    for claim, endpoint in authorization.waiting:
        endpoints[endpoint.subscription_id] = endpoint
        deliveries.setdefault(endpoint.subscription_id, []).append(claim.delivery_id)
    return [
        Want(identifier, endpoint.version, endpoint.auth, tuple(deliveries.get(identifier, ())))
        for identifier, endpoint in endpoints.items()
        if isinstance(endpoint.auth, OAuth2Auth)
    ]


def fail_without_token(failing: Sequence[tuple[Claim, Endpoint, str]]) -> list[Landing]:
    """The failed attempts of those whose token is not to be had; nothing was sent."""
    monotonic = time.monotonic()
    return [
        Landing(
            flight=Flight(claim=claim, endpoint=endpoint, request=_NOT_SENT),
            started_monotonic=monotonic,
            result=NoAnswer(kind=FailureKind.TOKEN, message=f"token: {reason}", timings=Timings(total_ms=0.0)),
        )
        for claim, endpoint, reason in failing
    ]
