"""The README's examples of Python run as they stand."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from secrets import token_bytes
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Status
from subscriptions.models import Subscription
from subscriptions.signing import sign
from subscriptions.signing_secrets import generate_secret, parse_secret
from tests.repo.documents import README, read_blocks
from webhookhub import ids
from webhookhub.models import Account, Event


def run_example(containing: str, **names: Any) -> dict[str, Any]:
    """Run the README's one example with this text in it, where these names exist; returns all names afterwards."""
    (text,) = [block.text for block in read_blocks(README, language="python") if containing in block.text]
    exec(compile(text, README.name, "exec"), names)
    return names


@pytest.mark.django_db
def test_the_example_of_emit_records_the_event(account: Account) -> None:
    order = SimpleNamespace(id="ord_123", ship=lambda: None)
    run_example("emit(", order=order, account=account)
    event = Event.objects.get(account=account)
    assert (event.type, event.data) == ("order.shipped", '{"orderId":"ord_123"}')


@pytest.mark.django_db
def test_the_example_of_subscribe_makes_an_account_with_a_subscription() -> None:
    names = run_example("subscribe(account")
    subscription = Subscription.objects.get(account=names["account"])
    assert subscription == names["subscription"]
    assert names["secret"].startswith("whsec_")


@pytest.mark.django_db
def test_the_example_of_cancel_cancels_the_delivery(account: Account, subscribed: Callable[[], Subscription]) -> None:
    now = timezone.now()
    delivery = Delivery.objects.create(
        id=ids.new_id(),
        event_id=ids.new_id(),
        subscription=subscribed(),
        account=account,
        due_at=now,
        expires_at=now + timedelta(days=1),
    )
    run_example("cancel([", delivery=delivery)
    delivery.refresh_from_db()
    assert delivery.status == Status.CANCELLED


def test_the_example_of_a_receiver_takes_what_was_signed_and_nothing_else() -> None:
    secret = generate_secret(token_bytes)
    body = b'{"id":"evt_1","type":"order.shipped","data":{}}'
    headers = dict(sign(body, event_id="evt_1", timestamp=int(time.time()), secrets=[parse_secret(secret)]))
    receive = run_example("def receive(", secret=secret)["receive"]
    assert receive(SimpleNamespace(body=body, headers=headers)) == 204
    assert receive(SimpleNamespace(body=body + b" ", headers=headers)) == 401


def test_the_example_of_a_request_carries_the_signatures_of_its_body() -> None:
    (block,) = read_blocks(README, language="http")
    head, _, body = block.text.strip().partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"Signed with the secret `(\w+)`", README.read_text())
    signed = sign(
        body.encode(),
        event_id=json.loads(body)["id"],
        timestamp=int(headers["webhook-timestamp"]),
        secrets=[parse_secret(secret)],
    )
    assert dict(signed).items() <= headers.items()
