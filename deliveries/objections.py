"""Why can something not be done to a delivery? One closed list of reasons, each with a stable code and words for people."""

from __future__ import annotations

from enum import StrEnum


class Objection(StrEnum):
    """What stands against a request. The values are the API's codes: they are added to, never renamed."""

    NOT_FOUND = "not_found"
    FINAL = "delivery_final"
    HELD = "delivery_held"
    EXPIRED = "delivery_expired"
    ON_THE_WIRE = "on_the_wire"
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_PAUSED = "webhook_paused"
    WEBHOOK_DELETED = "webhook_deleted"
    EVENT_GONE = "event_gone"
    PAYLOAD_EXPUNGED = "payload_expunged"
    NO_WEBHOOK_MATCHES = "no_webhook_matches"

    @property
    def words(self) -> str:
        """What is wrong, and what would be right."""
        return _WORDS[self]


_WORDS = {
    Objection.NOT_FOUND: "There is no such delivery.",
    Objection.FINAL: "The delivery is over, and nothing is attempted any more; a replay sends its event anew.",
    Objection.HELD: "The delivery is held, and goes out when its webhook takes deliveries again.",
    Objection.EXPIRED: "The delivery has expired, and is about to be marked failed; a replay sends its event anew.",
    Objection.ON_THE_WIRE: "An attempt is on the wire at this very moment: there is nothing to do.",
    Objection.WEBHOOK_DISABLED: "The webhook is disabled, and would be sent nothing; enable it first.",
    Objection.WEBHOOK_PAUSED: "The webhook is paused, and would be sent nothing; resume it first.",
    Objection.WEBHOOK_DELETED: "The webhook was deleted: there is nobody left to tell.",
    Objection.EVENT_GONE: "The event is past its retention, and nothing of it is left to send.",
    Objection.PAYLOAD_EXPUNGED: "The event's data was expunged, and nothing of it is left to send.",
    Objection.NO_WEBHOOK_MATCHES: "No enabled webhook wants such an event now; name one to send it there all the same.",
}
