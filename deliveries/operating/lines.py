"""How is a look at the hub told in lines of text? Used by `status` and `top`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from deliveries.doctor.finding import Finding
from deliveries.figures.endpoints import EndpointFigures
from deliveries.figures.overview import Overview
from deliveries.operating.look import Hour
from webhookhub import ids
from webhookhub.models import ProcessKind

_BARS = " ▁▂▃▄▅▆▇█"
HOST_CHARACTERS = 28


def overview_lines(overview: Overview) -> Iterator[str]:
    """Who is alive, and what waits."""
    workers, web = overview.alive(ProcessKind.WORKER), overview.alive(ProcessKind.WEB)
    yield _line(
        "alive",
        f"{_count(len(workers), 'worker')}, {_count(len(web), 'web process', 'web processes')}, {_beat(overview)}",
    )
    for worker in workers:
        yield _line("", f"{worker.name}  {', '.join(worker.queues)}  {_count(worker.children, 'process', 'processes')}")
    yield _line("queues", _queues(overview))
    backlog = overview.backlog
    about, at_least = ("", "") if backlog.is_exact else ("about ", "at least ")
    due = (
        f"{at_least}{backlog.due:,} due, the oldest for {backlog.oldest_due_seconds:,.0f} s"
        if backlog.due
        else "none due"
    )
    yield _line("outstanding", f"{about}{backlog.pending:,} pending ({due}), {backlog.held:,} held")
    if backlog.events:
        since = f"the oldest for {backlog.oldest_event_seconds:,.0f} s"
        yield _line("", f"{_count(backlog.events, 'event')} to be fanned out, {since}")
    if overview.waiting_events:
        yield _line("publishing", f"{overview.waiting_events:,} events accepted and not recorded yet")


def hour_lines(hour: Hour) -> Iterator[str]:
    """How it went, and with whom it did not go well; the last minute is the last that is over."""
    last = hour.minutes[-2]
    yield _line("last minute", f"{last.attempts:,} attempts, {last.delivered:,} delivered, {last.failed:,} failed")
    yield _line("last hour", f"{hour.delivered:,} delivered, {hour.failed:,} failed")
    if hour.attempts:
        mean = "" if hour.mean_ms is None else f", {hour.mean_ms:,.0f} ms on average"
        yield _line("", f"{hour.accepted / hour.attempts:.1%} of {hour.attempts:,} attempts succeeded{mean}")
        yield _line("", f"delivered a minute |{draw_bars([minute.delivered for minute in hour.minutes])}|")
    yield from _endpoint_lines("slowest", hour.slowest)
    yield from _endpoint_lines("most failing", hour.most_failing)


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """What is wrong, each with what to do about it."""
    for finding in findings:
        yield f"{finding.severity.value:<8} {finding.area}: {finding.what}"
        yield f"{'':<8} -> {finding.remedy}"


def draw_bars(values: Sequence[int]) -> str:
    """One character for each value, as high as it is; whatever is not zero can be seen."""
    highest = max(values, default=0)
    steps = len(_BARS) - 1
    return "".join(_BARS[-(-value * steps // highest) if highest else 0] for value in values)


def _endpoint_lines(title: str, endpoints: Sequence[EndpointFigures]) -> Iterator[str]:
    for number, one in enumerate(endpoints):
        mean = "" if one.mean_ms is None else f"{one.mean_ms:,.0f} ms"
        shown = f"{ids.show('subscription', one.subscription_id)}  {_host(one.url):<{HOST_CHARACTERS}}"
        yield _line("" if number else title, f"{shown} {mean:>10}  {one.failed_attempts:,} of {one.attempts:,} failed")


def _host(url: str) -> str:
    """Where it goes, and no more of it than its column holds: the rest of a URL may be a secret of the receiver's."""
    shown = urlsplit(url).netloc.rpartition("@")[2]
    return shown if len(shown) <= HOST_CHARACTERS else f"{shown[: HOST_CHARACTERS - 1]}…"


def _beat(overview: Overview) -> str:
    seconds_ago = overview.last_sweep_seconds_ago
    return "no sweep yet" if seconds_ago is None else f"last sweep {seconds_ago:,.0f} s ago"


def _queues(overview: Overview) -> str:
    if overview.queues is None:
        return "the broker cannot be reached"
    return ", ".join(f"{queue} {waiting:,}" for queue, waiting in overview.queues.items())


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _line(title: str, text: str) -> str:
    return f"{title:<13}{text}"
