"""How does the API say that something cannot be done to a delivery? As a conflict, with the objection's own code."""

from __future__ import annotations

from deliveries.objections import Objection
from webhookhub.api.problems import Problem, not_found


def conflict(objection: Objection) -> Problem:
    """409 with a stable code and what would be right; 404 where there is nothing that it could be done to."""
    if objection is Objection.NOT_FOUND:
        return not_found("delivery")
    return Problem(409, objection.value, objection.words)
