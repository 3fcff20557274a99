"""How are the figures shown? As tables: the machine first, then each scenario when it has ended."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.benchmark.scenario import Figure, Figures, Scenario
from scripts.local.console import say

NAME_WIDTH = 32
VALUE_WIDTH = 12
# Below it decimals mean something.
FEW = 100


def print_machine(machine: Mapping[str, str | int]) -> None:
    say()
    for name, value in machine.items():
        say(f"{name:<{NAME_WIDTH}}{value}")


def print_title(name: str, scenario: Scenario, size: int) -> None:
    say(f"\n{name}: {size:,} {scenario.summary}")


def print_figures(figures: Figures) -> None:
    for name, value in figures.items():
        say(f"  {name:<{NAME_WIDTH - 2}}{shown(value):>{VALUE_WIDTH}}")


def shown(value: Figure) -> str:
    """A figure for people: as many digits as mean something."""
    match value:
        case None:
            return "unknown"
        case float() if abs(value) < FEW:
            return f"{value:,.2f}"
        case float() | int():
            return f"{value:,.0f}"
        case str():
            return value
