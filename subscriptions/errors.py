"""What can be wrong with a subscription.

SubscriptionError
├── UnsuitableUrlError   no address that a webhook can be sent to
├── PatternError         no pattern of event types
├── EntityError          no pair of entity type and action
└── UnknownProfileError  no delivery profile of this name
"""

from __future__ import annotations

from webhookhub.errors import WebhookHubError


class SubscriptionError(WebhookHubError, ValueError):
    """The subscription cannot be as asked for. `field` names what is wrong."""

    field = "subscription"


class UnsuitableUrlError(SubscriptionError):
    """The URL is not one that a webhook can be sent to."""

    field = "url"


class PatternError(SubscriptionError):
    """An event type pattern matches nothing that an event type can be."""

    field = "event_types"


class EntityError(SubscriptionError):
    """An entity type and an action that no event can have."""

    field = "entity_type"


class UnknownProfileError(SubscriptionError):
    """There is no delivery profile of this name."""

    field = "profile"
