"""sweep: a queue that is long already is not made longer."""

from __future__ import annotations

from uuid import UUID

import pytest

from deliveries.admit import Refusal, give_back
from deliveries.sweep import sweep
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.rows import (
    claim_one,
    database_now,
    let_pass,
    make_pending,
    read_delivery,
)
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.events import emit

LEASE_SECONDS = hub_settings().lease_seconds
LOOK_AGAIN_SECONDS = hub_settings().look_again_seconds
WEEK_SECONDS = 7 * 86_400


def swept() -> dict[str, int]:
    return {kind: count for kind, count in sweep().items() if count}


def rung(listen: Listen, queue: str = "deliveries") -> list[UUID]:
    return [identifier for message in listen(queue) for identifier in message.ids]


def fill(queue: str, messages: int) -> None:
    nobody = [UUID(int=0)] * doorbell.CHUNK
    doorbell.ring("deliveries.deliver", nobody * messages, queue=queue)


@pytest.mark.parametrize(("messages", "rung_messages"), [(199, 1), (200, 0)])
def test_a_long_queue_is_not_rung_again(pending: list[UUID], listen: Listen, messages: int, rung_messages: int) -> None:
    fill("deliveries", messages)
    let_pass(LOOK_AGAIN_SECONDS)
    assert swept() == {"due": 1}
    assert len(listen("deliveries")) == messages + rung_messages
    wake_at = read_delivery(pending[0]).wake_at
    assert wake_at is not None
    assert wake_at > database_now()


def test_a_long_slow_queue_does_not_keep_the_others_from_being_rung(subscription: Subscription, listen: Listen) -> None:
    crowded, other = make_pending(subscription, 2)
    give_back([claim_one(crowded)], Refusal.CROWDED)
    listen("deliveries")
    fill("deliveries.slow", 200)
    let_pass(60)
    sweep()
    assert rung(listen) == [other]
    assert len(listen("deliveries.slow")) == 200


def test_a_long_fan_out_queue_is_not_rung_again(subscription: Subscription, listen: Listen) -> None:
    emit("order.shipped", {}, account=subscription.account)
    listen("fanout")
    fill("fanout", 200)
    let_pass(10)
    assert swept() == {"events": 1}
    assert len(listen("fanout")) == 200
