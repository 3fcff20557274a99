"""How does PostgreSQL go about the hub's statements?"""

from __future__ import annotations

import re
from typing import Any

from django.db import connection


class Explain:
    """Asks for the plan of each statement before it runs: `with connection.execute_wrapper(explain := Explain()):`."""

    def __init__(self) -> None:
        self.plans: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        with connection.connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql, params)
            self.plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, params, many, context)

    def partitions_of(self, table: str) -> set[str]:
        """The partitions of the table that the plans read."""
        return set(re.findall(rf" on ({table}_(?:\d{{8}}|default))\b", "\n".join(self.plans)))
