"""What exactly did an attempt send? Requests are not stored: they follow from what is, and are built from it once more."""

from __future__ import annotations

from deliveries.claim import Claim, Fact
from deliveries.models import Delivery, DeliveryAttempt
from deliveries.request import build_request
from deliveries.transport import Request
from subscriptions.auth import header_name
from subscriptions.endpoints import Endpoint
from webhookhub.conf import hub_settings
from webhookhub.models import Event

MASK = "***"


def rebuild_request(event: Event, delivery: Delivery, attempt: DeliveryAttempt, endpoint: Endpoint) -> Request:
    """The attempt's request, with secrets masked, as `endpoint` says that it is sent today.

    Signed as of the moment when the attempt began; the request itself may have been signed a second before.
    """
    claim = Claim(
        delivery_id=delivery.id,
        subscription_id=delivery.subscription_id,
        attempt_number=attempt.number,
        claimed_at=attempt.started_at,
        expires_at=delivery.expires_at,
        subscription_version=endpoint.version,
        claimed_monotonic=0.0,
        fact=Fact(
            shown_id=event.shown_id,
            type=event.type,
            entity_type=event.entity_type,
            action=event.action,
            subject=event.subject,
            correlation_id=event.correlation_id,
            data=event.data,
            created_at=event.created_at,
        ),
    )
    request = build_request(claim, endpoint, now=attempt.started_at, default_user_agent=hub_settings().user_agent)
    secret = _secret_names(endpoint)
    headers = [(name, MASK if name.lower() in secret else value) for name, value in request.headers]
    name = header_name(endpoint.auth)
    if name is not None and name.lower() not in {sent.lower() for sent, _ in headers}:
        # A token that is fetched for each attempt.
        headers.append((name, MASK))
    return request._replace(headers=tuple(headers))


def _secret_names(endpoint: Endpoint) -> set[str]:
    """The headers, in lower case, whose values nobody is shown."""
    names = {"authorization"} | {header.name.lower() for header in endpoint.headers if header.is_secret}
    credentials = header_name(endpoint.auth)
    return names if credentials is None else names | {credentials.lower()}
