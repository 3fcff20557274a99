"""How long is a key remembered under which something was published? As long as the setting says, and then not for ever."""

from __future__ import annotations

from django.db import connection

from webhookhub.conf import hub_settings

# Rows of one statement: a long table is emptied without holding anybody up.
ROWS_A_STATEMENT = 10_000


def forget_old_keys() -> int:
    """Forget the idempotency keys that are older than `idempotency_hours`; returns how many there were."""
    forgotten = 0
    while deleted := _forget_some():
        forgotten += deleted
    return forgotten


def _forget_some() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM webhookhub_idempotency_key
                WHERE (account_id, key) IN (SELECT account_id, key FROM webhookhub_idempotency_key
                                             WHERE created_at < now() - %s * interval '1 hour'
                                             ORDER BY created_at LIMIT %s)""",
            [hub_settings().idempotency_hours, ROWS_A_STATEMENT],
        )
        return int(cursor.rowcount)
