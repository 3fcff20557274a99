"""What can be wrong with a subscription.

SubscriptionError
├── UnsuitableUrlError   no address that a webhook can be sent to
├── PatternError         no pattern of event types
├── EntityError          no pair of entity type and action
├── PayloadFilterError   no filter of events' data
├── UnknownProfileError  no delivery profile of this name
├── OverridesError       no value that a delivery profile could have
├── HeaderError          no header that a webhook may carry
├── AuthError            no credentials that a request could carry
├── LimitError           no rate and no number of requests
├── SigningSecretError   no text that could sign
└── TooManySecretsError  so many old secrets still sign that another rotation has to wait
"""

from __future__ import annotations

from webhookhub.errors import WebhookHubError


class SubscriptionError(WebhookHubError, ValueError):
    """The subscription cannot be as asked for. `field` names what is wrong, such as `url` or `overrides.timeout_seconds`."""

    field = "subscription"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        if field is not None:
            self.field = field


class UnsuitableUrlError(SubscriptionError):
    """The URL is not one that a webhook can be sent to."""

    field = "url"


class PatternError(SubscriptionError):
    """An event type pattern matches nothing that an event type can be."""

    field = "event_types"


class EntityError(SubscriptionError):
    """An entity type and an action that no event can have."""

    field = "entity_type"


class PayloadFilterError(SubscriptionError):
    """A filter that cannot be read; the message names the place and what would be right."""

    field = "filter"


class UnknownProfileError(SubscriptionError):
    """There is no delivery profile of this name."""

    field = "profile"


class OverridesError(SubscriptionError):
    """A value that differs from the profile's, and that no profile could have."""


class HeaderError(SubscriptionError):
    """A header that a webhook may not carry. The message never repeats a value."""


class AuthError(SubscriptionError):
    """Credentials that no request could carry. The message never repeats a secret."""


class LimitError(SubscriptionError):
    """A limit that is no number, or out of bounds."""


class SigningSecretError(SubscriptionError):
    """A text that cannot be a signing secret. The message says what is allowed, and never repeats the text."""

    field = "secret"


class TooManySecretsError(SubscriptionError):
    """So many old secrets still sign that another rotation has to wait for one of them to end."""

    field, code = "secret", "too_many_secrets"
