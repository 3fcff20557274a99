"""What can go wrong on the ground floor, and what to tell whoever caused it.

WebhookHubError
├── BadEventError            an event that cannot be accepted; nothing was stored
│   ├── UnknownAccountError
│   ├── EventTypeError
│   ├── EventDataError
│   │   └── EventTooLargeError
│   └── EventFileError       names the line of an ndjson file
├── BadIdError               text that is no id of the kind wanted
└── EncryptionKeyError       no key, or none that opens what was stored
"""

from __future__ import annotations


class WebhookHubError(Exception):
    """The root of everything the hub raises on purpose."""


class BadEventError(WebhookHubError, ValueError):
    """The event was refused. `field` names the argument that was wrong."""

    field = "event"


class UnknownAccountError(BadEventError):
    """No account has this id."""

    field = "account"


class EventTypeError(BadEventError):
    """The event type, entity type, action or another label has characters or a length that are not allowed."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class EventDataError(BadEventError):
    """The data is not JSON, or not such as it may be."""

    field = "data"


class EventTooLargeError(EventDataError):
    """The data has more bytes than an event may have."""


class EventFileError(BadEventError):
    """A line of an ndjson file is no event that could be accepted. `line_number` counts from 1."""

    field = "file"

    def __init__(self, message: str, *, line_number: int) -> None:
        super().__init__(f"line {line_number}: {message}")
        self.line_number = line_number


class BadIdError(WebhookHubError, ValueError):
    """Text that does not read as an id of the wanted kind."""


class EncryptionKeyError(WebhookHubError):
    """No encryption key is configured, or none of them opens the stored value."""
