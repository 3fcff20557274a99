"""Which tables are cut by time, and how long are they kept?"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from deliveries.forget import ring_for_orphans
from deliveries.models import LimitState
from deliveries.tally import forget_old_figures
from webhookhub.conf import hub_settings
from webhookhub.ingest.retention import forget_old_keys
from webhookhub.partitions import create_partitions, default_is_empty, drop_partitions

logger = logging.getLogger("webhookhub.partitions")

TABLES = ("webhookhub_event", "webhookhub_delivery", "webhookhub_delivery_attempt")
# Moments are given away a second ahead and places last as long as a lease: what was used a day ago says nothing any more.
LIMIT_STATE_KEPT = timedelta(days=1)


def maintain(now: datetime | None = None) -> None:
    """Make the partitions that are needed next, drop those past retention, and warn of rows that found none.

    What is not cut by time is forgotten row by row: old states of limits, figures, idempotency keys, and what deleted accounts
    recorded.
    """
    moment = now or datetime.now(UTC)
    oldest = moment - timedelta(days=hub_settings().retention_days)
    for table in TABLES:
        made = create_partitions(table, now=moment)
        dropped = drop_partitions(table, before=oldest)
        if made or dropped:
            logger.info("partitions", extra={"table": table, "made": made, "dropped": dropped})
        if not default_is_empty(table):
            logger.warning("rows without a partition of their time", extra={"table": f"{table}_default"})
    LimitState.objects.filter(waiting_at=None, next_free_at__lt=moment - LIMIT_STATE_KEPT).delete()
    forget_old_figures(moment)
    if forgotten := forget_old_keys():
        logger.info("idempotency keys forgotten", extra={"keys": forgotten})
    ring_for_orphans()
