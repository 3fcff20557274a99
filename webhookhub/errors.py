"""What can go wrong on the ground floor, and what to tell whoever caused it.

WebhookHubError
├── BadEventError            an event that cannot be accepted; nothing was stored
│   ├── UnknownAccountError
│   ├── EventTypeError
│   ├── EventDataError
│   │   ├── EventTooLargeError
│   │   └── EventSchemaError
│   └── EventFileError       names the line of an ndjson file
├── ApiKeyError              a key that nobody can have
├── BadFilterError           a parameter of a list, or of a job, is wrong
├── BadSchemaError           a JSON Schema that cannot be used
├── ConflictError            something else is in the way
├── BadIdError               text that is no id of the kind wanted
├── BadUidError              text that cannot be an id of the caller's own
├── BadUrlError              text that is no URL that a request could be sent to
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


class EventSchemaError(EventDataError):
    """The data does not fit the JSON Schema of its type, and the account wants that checked."""


class EventFileError(BadEventError):
    """A line of an ndjson file is no event that could be accepted. `line_number` counts from 1."""

    field = "file"

    def __init__(self, message: str, *, line_number: int) -> None:
        super().__init__(f"line {line_number}: {message}")
        self.line_number = line_number


class ApiKeyError(WebhookHubError, ValueError):
    """The key cannot be as asked for. `field` names what is wrong."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class BadFilterError(WebhookHubError, ValueError):
    """A filter of a list, or of a job, cannot be read. `field` names the parameter."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadSchemaError(WebhookHubError, ValueError):
    """The JSON Schema is none, is too large, or refers to what is elsewhere."""

    field = "schema"


class ConflictError(WebhookHubError):
    """Something else is in the way. `field` names what, and `code` says it to programs."""

    def __init__(self, message: str, *, field: str, code: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class BadIdError(WebhookHubError, ValueError):
    """Text that does not read as an id of the wanted kind."""


class BadUidError(WebhookHubError, ValueError):
    """An id of the caller's own that could not be told from ours, or not stand in a path."""

    field = "uid"


class BadUrlError(WebhookHubError, ValueError):
    """Text that no request can be sent to: malformed, or misleading. The message is fit for whoever typed it."""


class EncryptionKeyError(WebhookHubError):
    """No encryption key is configured, or none of them opens the stored value."""
