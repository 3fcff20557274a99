"""What happens in the demo's shop, and which endpoints should hear of it?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from scripts.local.receiver.endpoints import EndpointName
from webhookhub.events import NewEvent, emit_many
from webhookhub.models import Account

SHOP_URL = "https://shop.example"


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """An event, and who should hear of it."""

    event: NewEvent
    heard_by: tuple[EndpointName, ...]
    id: UUID | None = None
    """Of the recorded event; None before."""


def record_story(account: Account, *, rng: random.Random) -> list[Happening]:
    """Record one customer's day: each step in a transaction of its own, as an application would."""
    recorded: list[Happening] = []
    for step in _tell(rng):
        # An application changes its own rows here too: both are committed, or neither.
        with transaction.atomic():
            identifiers = emit_many([happening.event for happening in step], account=account)
        recorded += [replace(happening, id=identifier) for happening, identifier in zip(step, identifiers, strict=True)]
    return recorded


def _tell(rng: random.Random) -> list[Sequence[Happening]]:
    """The steps of the story, with numbers drawn from `rng`."""
    order_id = f"ord_{rng.randrange(10_000, 100_000)}"
    transaction_id = f"tx_{rng.getrandbits(40):010x}"
    mugs = rng.randint(1, 4)
    paid_eur = round(18.5 * mugs + 4.9, 2)
    return [
        [_order_created(order_id, mugs=mugs, total_eur=paid_eur), _stock_changed(left=rng.randint(3, 60))],
        [_transaction(transaction_id, order_id, "progress", {"progressReport": "authorised"})],
        [
            _transaction(transaction_id, order_id, "completed", {"status": "success", "amountEur": paid_eur}),
            _order("order.paid", order_id, {"paidWith": "card", "transactionId": transaction_id}),
            _payment_status_changed(order_id),
        ],
        [_order_shipped(order_id, tracking_number=f"1Z{rng.randrange(10**9):09d}")],
        [_form_submission()],
    ]


def _order_created(order_id: str, *, mugs: int, total_eur: float) -> Happening:
    items = [{"sku": "MUG-BLUE", "name": "Mug “Früher Vogel”", "quantity": mugs, "priceEur": 18.5}]
    return _order(
        "order.created",
        order_id,
        {"customer": {"name": "Zoë Müller", "email": "zoe@mueller.example"}, "items": items, "totalEur": total_eur},
    )


def _order_shipped(order_id: str, *, tracking_number: str) -> Happening:
    shipped = _order("order.shipped", order_id, {"carrier": "UPS", "trackingNumber": tracking_number})
    return replace(shipped, heard_by=(EndpointName.ORDERS, EndpointName.FLAKY))


def _order(event_type: str, order_id: str, data: dict[str, object]) -> Happening:
    event = NewEvent(
        type=event_type,
        data={"orderId": order_id, **data},
        subject=f"{SHOP_URL}/orders/{order_id}",
        correlation_id=order_id,
    )
    return Happening(event=event, heard_by=(EndpointName.ORDERS,))


def _transaction(transaction_id: str, order_id: str, step: str, data: dict[str, object]) -> Happening:
    event = NewEvent(
        type=f"transaction.{step}", data={"transactionId": transaction_id, **data}, correlation_id=order_id
    )
    return Happening(event=event, heard_by=(EndpointName.TRANSACTIONS,))


def _stock_changed(*, left: int) -> Happening:
    event = NewEvent(
        type="product.updated",
        data={"sku": "MUG-BLUE", "inStock": left},
        entity_type="product",
        action="UPDATE",
        subject=f"{SHOP_URL}/products/MUG-BLUE",
    )
    return Happening(event=event, heard_by=(EndpointName.ENTITIES,))


def _payment_status_changed(order_id: str) -> Happening:
    event = NewEvent(type="payment_status_changed", data={"orderId": order_id, "from": "pending", "to": "paid"})
    return Happening(event=event, heard_by=(EndpointName.CRM,))


def _form_submission() -> Happening:
    event = NewEvent(
        type="form_submission",
        data={"form": "newsletter", "email": "zoe@mueller.example", "language": "de", "consent": True},
    )
    return Happening(event=event, heard_by=(EndpointName.CRM,))
