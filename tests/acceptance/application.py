"""The customer's application: a process of its own that uses the hub as a library, and does what a test asks on its pipes.

One JSON document a line: `[function, arguments]` comes in, `{"returned": …}` or `{"raised": …}` goes out.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import django
from django.db import close_old_connections, connection, transaction

django.setup()

# Models can be imported once Django is set up.
from deliveries import breaker  # noqa: E402
from deliveries import cancel as cancellation  # noqa: E402
from deliveries import sweep as sweeping  # noqa: E402
from subscriptions.auth import OAuth2Auth  # noqa: E402
from subscriptions.builtin_profiles import STANDARD  # noqa: E402
from subscriptions.custom_headers import CustomHeader  # noqa: E402
from subscriptions.models import Profile, Subscription  # noqa: E402
from subscriptions.subscribe import change_subscription, pause, resume, set_enabled, subscribe  # noqa: E402
from tests.acceptance.admin.scenery import make_scenery  # noqa: E402
from webhookhub import doorbell, ids  # noqa: E402
from webhookhub.api_keys import create_api_key  # noqa: E402
from webhookhub.events import NewEvent, emit_many  # noqa: E402
from webhookhub.models import Account  # noqa: E402
from webhookhub.roles import Role  # noqa: E402


def make_account(name: str) -> str:
    return str(Account.objects.create(name=name).id)


def make_key(account: str) -> str:
    """An administrator's key to the API."""
    return create_api_key(Account.objects.get(id=account), "of a test")


def make_operator_key() -> str:
    """A key to all accounts."""
    return create_api_key(None, "of a test", role=Role.OPERATOR)


def make_profile(name: str, changes: dict[str, Any]) -> None:
    """A profile as `standard`, without jitter, but for the changes."""
    profile = replace(STANDARD, name=name, jitter_ratio=0)
    row = Profile(
        **{
            field.name: getattr(profile, field.name)
            for field in Profile._meta.get_fields()
            if hasattr(profile, field.name)
        }
    )
    row.intervals_seconds = list(profile.intervals_seconds)
    row.success_statuses, row.retry_on = str(profile.success_statuses), str(profile.retry_on)
    row.user_agent = row.request_id_parameter = ""
    for field, value in changes.items():
        setattr(row, field, value)
    # Raises where the changes contradict each other.
    row.to_value()
    row.save()


def make_subscription(account: str, url: str, secret: str, profile: str) -> str:
    return str(subscribe(Account.objects.get(id=account), url, secret=secret, profile=profile).id)


def enable(subscription: str, enabled: bool) -> None:
    set_enabled(Subscription.objects.get(id=subscription), enabled)


def set_paused(subscription: str, paused: bool) -> None:
    (pause if paused else resume)(Subscription.objects.get(id=subscription))


def change(subscription: str, headers: dict[str, str], terms: dict[str, Any]) -> None:
    """Agree on these terms and headers, as a request to the API does."""
    own = [CustomHeader(name=name, value=value, is_secret=False) for name, value in headers.items()]
    change_subscription(Subscription.objects.get(id=subscription), lambda before: replace(before, headers=own, **terms))


def use_oauth2(subscription: str, token_url: str, client_id: str, client_secret: str) -> None:
    auth = OAuth2Auth(token_url=token_url, client_id=client_id, client_secret=client_secret)
    change_subscription(Subscription.objects.get(id=subscription), lambda before: replace(before, auth=auth))


def emit(account: str, count: int) -> list[str]:
    """Record so many events in one transaction; returns the ids as receivers see them."""
    events = [NewEvent(type="order.shipped", data={"number": number}) for number in range(count)]
    return [ids.show("event", identifier) for identifier in emit_many(events, account=UUID(account))]


def emit_and_roll_back(account: str) -> None:
    with transaction.atomic():
        emit(account, 1)
        transaction.set_rollback(True)


def emit_and_die(account: str) -> None:
    """Commit an event, and end before anybody can be told of it."""
    with transaction.atomic():
        transaction.on_commit(partial(os._exit, 1))
        emit(account, 1)


def emit_from_producers(account: str, producers: int, messages: int) -> list[str]:
    """So many producers at once, each with a transaction for each of its events."""
    emitted: list[str] = []

    def produce() -> None:
        for _ in range(messages):
            emitted.extend(emit(account, 1))

    in_threads(producers, produce)
    return emitted


def cancel(deliveries: Sequence[str]) -> list[str]:
    return [str(identifier) for identifier in cancellation.cancel(map(UUID, deliveries))]


def ring(task: str, identifiers: Sequence[str], queue: str, times: int) -> None:
    for _ in range(times):
        doorbell.ring(task, [UUID(identifier) for identifier in identifiers], queue=queue)


def waiting(queue: str) -> int:
    """Messages in the queue."""
    return doorbell.waiting(queue)


def sweep(threads: int = 1) -> None:
    """So many sweeps at the same time."""
    in_threads(threads, sweeping.sweep)


def judge() -> None:
    breaker.judge()


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Do the work so many times at once, each time with a database connection of its own."""

    def work_and_close() -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=work_and_close) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


CALLS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        make_account,
        make_key,
        make_operator_key,
        make_profile,
        make_subscription,
        make_scenery,
        enable,
        set_paused,
        change,
        use_oauth2,
        emit,
        emit_and_roll_back,
        emit_and_die,
        emit_from_producers,
        cancel,
        ring,
        waiting,
        sweep,
        judge,
    )
}


def main() -> None:
    for line in sys.stdin:
        name, arguments = json.loads(line)
        # As a web server does before each request: the database may have restarted since the last one.
        close_old_connections()
        # Whatever goes wrong, the test has to hear of it.
        try:
            answer = {"returned": CALLS[name](**arguments)}
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main()
