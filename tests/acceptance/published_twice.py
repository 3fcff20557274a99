"""The hub's Celery application, but for every message being published twice: `celery -A tests.acceptance.published_twice`."""

from __future__ import annotations

from typing import Any

from config.celery import app

_publish = app.amqp.send_task_message


def _publish_twice(*arguments: Any, **options: Any) -> Any:
    _publish(*arguments, **options)
    return _publish(*arguments, **options)


app.amqp.__dict__["send_task_message"] = _publish_twice
