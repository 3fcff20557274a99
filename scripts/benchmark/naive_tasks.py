"""How do most teams send a webhook? One task each: read the rows, sign, post with requests, write an attempt, save."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from uuid import UUID

import requests

from deliveries.models import Delivery, DeliveryAttempt, Status
from scripts.benchmark.naive_app import app
from webhookhub.encryption import decrypt
from webhookhub.ids import attempt_id

TIMEOUT_SECONDS = 15

session = requests.Session()


@app.task
def deliver(delivery_id: str) -> None:
    """One delivery as most teams write it: a task, a request and four queries each."""
    delivery = Delivery.objects.select_related("event", "subscription").get(id=UUID(delivery_id))
    event, secret = delivery.event, delivery.subscription.secrets.get()
    body = json.dumps({"id": str(event.id), "type": event.type, "data": json.loads(event.data)})
    signature = hmac.new(decrypt(secret.encrypted_text).encode(), body.encode(), hashlib.sha256).hexdigest()
    started_at, started_monotonic = datetime.now(UTC), time.monotonic()
    response = session.post(
        delivery.subscription.url,
        data=body,
        headers={"Content-Type": "application/json", "X-Webhook-Signature": f"sha256={signature}"},
        timeout=TIMEOUT_SECONDS,
    )
    response.raise_for_status()
    delivery.attempt_count += 1
    DeliveryAttempt.objects.create(
        id=attempt_id(delivery.id, delivery.attempt_count),
        delivery_id=delivery.id,
        number=delivery.attempt_count,
        started_at=started_at,
        outcome="delivered",
        status_code=response.status_code,
        total_ms=(time.monotonic() - started_monotonic) * 1000,
        response_headers="\n".join(f"{name}: {value}" for name, value in response.headers.items()),
        response_body=response.text,
    )
    delivery.status = Status.DELIVERED
    delivery.wake_at = None
    delivery.finished_at = datetime.now(UTC)
    delivery.last_outcome = "delivered"
    delivery.last_status_code = response.status_code
    delivery.save()
