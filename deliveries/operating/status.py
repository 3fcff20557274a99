"""What is alive, what is waiting, what is wrong, and what is to be done about it? Looked at once, for people and for scripts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from django.db import DatabaseError

from deliveries.doctor.finding import Finding, Severity
from deliveries.operating.command import HubCommand, Options
from deliveries.operating.lines import finding_lines, hour_lines, overview_lines
from deliveries.operating.look import Look, look
from deliveries.operating.wrong import find_wrong
from webhookhub import ids
from webhookhub.conf import hub_settings


def add_arguments(parser: ArgumentParser) -> None:
    """For scripts: the form, and how much counts."""
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--strict", action="store_true", help="exit code 1 for a warning, too")


def run(options: Options, out: TextIO) -> int:
    """1 where there is an error."""
    seen, findings = examine()
    out.write(_as_json(seen, findings) if options["json"] else _as_text(seen, findings))
    wrong = {finding.severity for finding in findings}
    return int(Severity.ERROR in wrong or (options["strict"] and bool(wrong)))


def examine() -> tuple[Look | None, list[Finding]]:
    """The hub, and what is wrong with it; where PostgreSQL is away, that alone."""
    try:
        seen = look()
    except DatabaseError as error:
        what = " ".join(str(error).split())[:200]
        remedy = "see that PostgreSQL runs, that DATABASE_URL is right, and that `manage.py migrate` was run"
        return None, [Finding(area="PostgreSQL", severity=Severity.ERROR, what=what, remedy=remedy)]
    return seen, find_wrong(seen, hub_settings())


def _as_text(seen: Look | None, findings: Sequence[Finding]) -> str:
    lines = [] if seen is None else [*overview_lines(seen.overview), *hour_lines(seen.hour), ""]
    return "\n".join([*lines, *(finding_lines(findings) if findings else ["All is well."])]) + "\n"


def _as_json(seen: Look | None, findings: Sequence[Finding]) -> str:
    document: dict[str, Any] = {
        "findings": [asdict(finding) | {"severity": finding.severity.value} for finding in findings]
    }
    if seen is not None:
        document |= _figures(seen)
    return json.dumps(document, indent=2, default=str) + "\n"


def _figures(seen: Look) -> dict[str, Any]:
    overview, hour = seen.overview, seen.hour
    return {
        "backlog": asdict(overview.backlog),
        "queues": overview.queues,
        "processes": [asdict(process) | {"is_alive": process.is_alive} for process in overview.processes],
        "last_sweep_seconds_ago": overview.last_sweep_seconds_ago,
        "tally_lag_seconds": overview.tally_lag_seconds,
        "waiting_events": overview.waiting_events,
        "last_hour": {
            "attempts": hour.attempts,
            "accepted": hour.accepted,
            "delivered": hour.delivered,
            "failed": hour.failed,
            "mean_ms": hour.mean_ms,
            "slowest": [ids.show("subscription", one.subscription_id) for one in hour.slowest],
            "most_failing": [ids.show("subscription", one.subscription_id) for one in hour.most_failing],
        },
    }


COMMAND = HubCommand(
    name="status", summary="what is alive, what is waiting, and what is wrong", add_arguments=add_arguments, run=run
)
