"""What is wrong with this hub, and what is to be done about it? Every finding with its remedy, for people and for scripts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from deliveries.doctor.broker import examine_broker
from deliveries.doctor.configuration import examine_configuration, examine_secrets
from deliveries.doctor.database import examine_database, tables_are_current
from deliveries.doctor.finding import Finding, Severity
from deliveries.doctor.machine import examine_machine
from deliveries.doctor.schedule import examine_schedule
from deliveries.operating.command import HubCommand, Options


def add_arguments(parser: ArgumentParser) -> None:
    """For scripts: the form, and how much counts."""
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--strict", action="store_true", help="exit code 1 for a warning, too")


def run(options: Options, out: TextIO) -> int:
    """1 where there is an error."""
    findings = examine()
    counts = Counter(finding.severity for finding in findings)
    out.write(_as_json(findings) if options["json"] else _as_text(findings, counts))
    return int(bool(counts[Severity.ERROR] or (options["strict"] and counts[Severity.WARNING])))


def examine() -> list[Finding]:
    """All that can be found out. What needs the hub's tables is not asked where these are away or behind."""
    findings = [*examine_configuration(), *examine_machine(), *examine_database(), *examine_broker()]
    if tables_are_current():
        findings += [*examine_secrets(), *examine_schedule()]
    return findings


def _as_text(findings: Sequence[Finding], counts: Counter[Severity]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{finding.severity.value:<8} {finding.area:<14} {finding.what}\n")
        if finding.remedy:
            lines.append(f"{'':<23} -> {finding.remedy}\n")
    return "".join(lines) + f"errors: {counts[Severity.ERROR]}, warnings: {counts[Severity.WARNING]}\n"


def _as_json(findings: Sequence[Finding]) -> str:
    rows = [
        {
            "area": finding.area,
            "severity": finding.severity.value,
            "what": finding.what,
            "remedy": finding.remedy or None,
        }
        for finding in findings
    ]
    return json.dumps({"findings": rows}, indent=2) + "\n"


COMMAND = HubCommand(
    name="doctor", summary="what is wrong with this hub, and what to do about it", add_arguments=add_arguments, run=run
)
