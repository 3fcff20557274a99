"""What is a contact told whose webhook does not respond? A prepared text, for somebody to read over before it is sent."""

from __future__ import annotations

from typing import NamedTuple

from deliveries.admin.health import Health
from deliveries.admin.words import describe_outcome
from deliveries.outcome import OutcomeCode
from subscriptions.models import Subscription

SUBJECT = "Your webhook address is not responding"


class Letter(NamedTuple):
    """A mail to be sent."""

    to: str
    subject: str
    text: str


def write_letter(subscription: Subscription, health: Health) -> Letter:
    """To the account's contact, about what went wrong last. Pure."""
    failed = next((one for one in health.recent if one.attempt and one.attempt.outcome != OutcomeCode.DELIVERED), None)
    lines = [
        "Hello,",
        "",
        "we send events to your webhook address",
        "",
        f"    {subscription.url}",
        "",
        "and it is not responding as it should.",
    ]
    if failed is not None and failed.attempt is not None:
        attempt = failed.attempt
        status = f" ({attempt.status_code})" if attempt.status_code else ""
        lines += [
            "",
            f"Our last attempt was on {attempt.started_at:%Y-%m-%d at %H:%M} (UTC).",
            f"{describe_outcome(attempt.outcome)}{status}",
            f"The delivery is {failed.delivery.status} so far; attempts: {failed.delivery.attempt_count}.",
        ]
    lines += [
        "",
        "Please see to it that the address answers again, with a status from",
        "200 to 299. What has not expired by then is delivered; the rest can be",
        "sent once more when you tell us.",
        "",
        "Thank you.",
    ]
    return Letter(subscription.account.contact_email, SUBJECT, "\n".join(lines))
