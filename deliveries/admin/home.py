"""How is the hub doing at this moment, and how was its last day? What the first page of the admin shows, from the figures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from deliveries.admin.words import describe_span
from deliveries.figures.backlog import Backlog, read_backlog
from deliveries.figures.endpoints import EndpointFigures, Ranking, Window, find_worst
from deliveries.figures.history import Stretch, Unit, read_history
from webhookhub import doorbell
from webhookhub.admin.charts import GOOD, NEUTRAL, STACKED_BARS, to_chart
from webhookhub.models import ProcessKind
from webhookhub.presence import SeenProcess, read_processes

MINUTES_A_DAY = 1440
MINUTES_A_POINT = 15
WORST_SHOWN = 5
# The sweep runs every few seconds: one that did not for a minute has stopped.
SWEEP_IS_LATE_SECONDS = 60
MAY_LOOK = "deliveries.view_delivery"


class Tile(NamedTuple):
    """One figure."""

    title: str
    figure: str
    words: str
    colour: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """All of it."""

    tiles: list[Tile]
    queues: dict[str, int] | None
    processes: list[SeenProcess]
    slowest: list[EndpointFigures]
    most_failing: list[EndpointFigures]
    rate_chart: str
    success_chart: str


def read_home() -> Home:
    """As it is now."""
    processes = read_processes()
    minutes = read_history(Unit.MINUTE, MINUTES_A_DAY)
    points = [minutes[first : first + MINUTES_A_POINT] for first in range(0, MINUTES_A_DAY, MINUTES_A_POINT)]
    labels = [f"{point[0].starts_at:%H:%M}" for point in points]
    return Home(
        tiles=[*_describe_backlog(read_backlog()), _describe_day(points), _describe_sweep(processes)],
        queues=doorbell.read_depths(),
        processes=[process for process in processes if process.kind is not ProcessKind.BEAT],
        slowest=find_worst(Ranking.SLOWEST, Window.DAY, most=WORST_SHOWN),
        most_failing=find_worst(Ranking.MOST_FAILING, Window.DAY, most=WORST_SHOWN),
        rate_chart=to_chart(labels, {"delivered a minute": (NEUTRAL, [rate(point) for point in points])}),
        success_chart=to_chart(labels, {"arrived, in percent": (GOOD, [percent(point) for point in points])}),
    )


def rate(stretches: Sequence[Stretch]) -> float:
    """Deliveries a minute. Pure."""
    return round(sum(one.delivered for one in stretches) / len(stretches), 2)


def percent(stretches: Sequence[Stretch]) -> float | None:
    """Of the deliveries that ended, how many arrived; None where none ended. Pure."""
    delivered, failed = sum(one.delivered for one in stretches), sum(one.failed for one in stretches)
    return round(100 * delivered / (delivered + failed), 2) if delivered + failed else None


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the first page, with the figures for whoever may see deliveries."""
    if request.user.has_perm(MAY_LOOK):
        context |= {"home": read_home(), "chart_options": STACKED_BARS}
    return context


def show_figures(request: HttpRequest) -> HttpResponse:
    """What of the first page changes, for the page that asks again and again. Raises PermissionDenied."""
    if not request.user.has_perm(MAY_LOOK):
        raise PermissionDenied
    return TemplateResponse(request, "webhookhub/admin/home_figures.html", {"home": read_home()})


def _describe_backlog(backlog: Backlog) -> list[Tile]:
    about = "" if backlog.is_exact else "about "
    waits = timedelta(seconds=backlog.oldest_due_seconds)
    return [
        Tile(
            "Outstanding",
            f"{about}{backlog.pending + backlog.held:,}",
            f"{backlog.pending:,} pending, {backlog.held:,} held",
            "",
        ),
        Tile(
            "Oldest due",
            describe_span(waits) if backlog.due else "none",
            f"{backlog.due:,} could go now" if backlog.is_exact else f"at least {backlog.due:,} could go now",
            "",
        ),
    ]


def _describe_day(points: Sequence[Sequence[Stretch]]) -> Tile:
    whole = [stretch for point in points for stretch in point]
    share = percent(whole)
    delivered = sum(one.delivered for one in whole)
    return Tile("Arrived in a day", "-" if share is None else f"{share:g} %", f"{delivered:,} delivered", "")


def _describe_sweep(processes: Sequence[SeenProcess]) -> Tile:
    beat = next((process for process in processes if process.kind is ProcessKind.BEAT), None)
    if beat is None:
        return Tile("Last sweep", "never", "no beat has been seen", "danger")
    is_late = beat.seen_seconds_ago > SWEEP_IS_LATE_SECONDS
    words = "retries and expiries are not looked after" if is_late else "retries and expiries are looked after"
    ago = describe_span(timedelta(seconds=beat.seen_seconds_ago))
    return Tile("Last sweep", f"{ago} ago", words, "danger" if is_late else "")
