"""How is the demo run? `python -m scripts.local.demo prepare` once, then `emit`: 0 if all was delivered and verified."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from datetime import timedelta

import django
from django.utils import timezone

from scripts.local.console import run_command, say
from scripts.local.errors import StepError
from scripts.local.receiver.endpoints import EndpointName, read_agreement
from scripts.local.state import StateFolder, default_state_folder

django.setup()

# Models can be imported only once Django is set up.
from scripts.local.demo.account import Administrator, find_account, find_subscription, prepare  # noqa: E402
from scripts.local.demo.follow import Expected, Standing, look  # noqa: E402
from scripts.local.demo.report import Report  # noqa: E402
from scripts.local.demo.story import Happening, record_story  # noqa: E402
from webhookhub.models import Account  # noqa: E402

# Workers may still be starting; without a fault the demo is over after the flaky endpoint's two waits, some four seconds.
DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.2


def main() -> int:
    """Do the step that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.demo", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("prepare", help="make the demo's account, API key, subscriptions and administrator")
    emit = steps.add_parser("emit", help="let things happen in the shop, and tell what was delivered")
    emit.add_argument(
        "--deadline", type=float, default=DEADLINE_SECONDS, metavar="SECONDS", help="give up after so long"
    )
    options = parser.parse_args()
    # A terminal of another encoding shows question marks instead of ending the demo.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return _prepare() if options.step == "prepare" else _emit(deadline_seconds=options.deadline)


def _prepare() -> int:
    state = StateFolder(default_state_folder(os.environ))
    state.make()
    account = prepare(
        receiver_url=_read_variable("WEBHOOKHUB_DEMO_RECEIVER_URL"),
        agreements={name: read_agreement(state, name) for name in EndpointName},
        api_key=_read_variable("WEBHOOKHUB_DEMO_API_KEY"),
        administrator=Administrator(
            name=_read_variable("WEBHOOKHUB_DEMO_ADMIN_USER"),
            password=_read_variable("WEBHOOKHUB_DEMO_ADMIN_PASSWORD"),
        ),
    )
    say(f"Account {account.name} ({account.shown_id}) has its API key and {len(EndpointName)} subscriptions.")
    return 0


def _emit(*, deadline_seconds: float) -> int:
    account = find_account()
    if account is None:
        raise StepError("There is no demo account yet: python -m scripts.local.demo prepare makes it.")
    happenings = record_story(account, rng=random.Random())
    expected = _expect(account, happenings)
    say(f"{account.name} recorded {len(happenings)} events for {len(EndpointName)} subscriptions:\n")
    standings = _follow(expected, deadline_seconds=deadline_seconds)
    return _conclude(standings)


def _expect(account: Account, happenings: Sequence[Happening]) -> list[Expected]:
    """A delivery for each endpoint that should hear of each event."""
    subscriptions = {name: find_subscription(account, name) for name in EndpointName}
    expected = []
    for happening in happenings:
        for name in happening.heard_by:
            subscription = subscriptions[name]
            if subscription is None or happening.id is None:
                raise StepError(f"The demo's subscription for /{name} is gone: prepare makes it anew.")
            expected.append(
                Expected(
                    event_id=happening.id,
                    event_type=happening.event.type,
                    endpoint=name,
                    subscription_id=subscription.id,
                    url=subscription.url,
                )
            )
    return expected


def _follow(expected: Sequence[Expected], *, deadline_seconds: float) -> list[Standing]:
    """Tell every attempt as it is recorded, until nothing more can come in time."""
    report = Report(expected)
    receiver_url = _read_variable("WEBHOOKHUB_DEMO_RECEIVER_URL")
    deadline = time.monotonic() + deadline_seconds
    while True:
        standings = look(expected, receiver_url=receiver_url)
        for one in standings:
            report.print_new_attempts(one, now=timezone.now())
        rest_seconds = deadline - time.monotonic()
        if rest_seconds <= 0 or not any(one.may_change_within(timedelta(seconds=rest_seconds)) for one in standings):
            return standings
        report.show_waiting(sum(not one.is_final for one in standings))
        time.sleep(POLL_SECONDS)


def _conclude(standings: Sequence[Standing]) -> int:
    report = Report([one.expected for one in standings])
    bad = [one for one in standings if one.problem]
    report.print_problems(bad)
    attempts = sum(len(one.attempts) for one in standings)
    text = (
        f"{len(standings) - len(bad)} of {len(standings)} deliveries arrived and were verified, in {attempts} attempts."
    )
    report.print_end(text, is_good=not bad)
    return 1 if bad else 0


def _read_variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise StepError(f"{name} is not set; scripts/run sets it.")
    return value


if __name__ == "__main__":
    run_command(main)
