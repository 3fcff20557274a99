"""What if the database is away for a moment? What is in hand is kept, and its statement tried until it is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger("webhookhub.patience")

RECONNECT_PAUSE_SECONDS = 0.5

Returned = TypeVar("Returned")


def patiently(statement: Callable[[], Returned]) -> Returned:
    """Run the statement, however long the database takes to come back. It has to be one that may run twice."""
    while True:
        try:
            return statement()
        except (OperationalError, InterfaceError) as error:
            logger.warning("database away, will try again", extra={"reason": str(error)[:200]})
            connection.close()
            time.sleep(RECONNECT_PAUSE_SECONDS)
