"""What does a program need that uses a hub from elsewhere? A client of the API, and a check of what it receives.

Needs `requests`, and nothing of Django or of the hub: the folder can be copied to wherever it is wanted.
"""

from __future__ import annotations

from .client import Client
from .documents import Attempt, Delivery, DeliveryWithAttempts, Event, NewWebhook, Trial, Webhook
from .errors import (
    ClientError,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ProblemError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    VerificationError,
)
from .publishing import AcceptedEvent, NewEvent, RefusedEvent
from .verification import verify

__all__ = [
    "AcceptedEvent",
    "Attempt",
    "Client",
    "ClientError",
    "Conflict",
    "Delivery",
    "DeliveryWithAttempts",
    "Event",
    "FieldError",
    "Forbidden",
    "Invalid",
    "NewEvent",
    "NewWebhook",
    "NotFound",
    "ProblemError",
    "RefusedEvent",
    "Trial",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "VerificationError",
    "Webhook",
    "verify",
]
