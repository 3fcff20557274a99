"""Where does the admin's sidebar lead? What is looked at most comes first; each of it for whoever may see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy


def _item(title: str, icon: str, name: str) -> dict[str, Any]:
    """A list of rows; `name` is `app.model`."""
    app, _, model = name.partition(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(app, model),
    }


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(f"{app}.view_{model}")


NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
            _item("Outstanding deliveries", "outbox", "deliveries.delivery"),
            _item("Subscriptions", "webhook", "subscriptions.subscription"),
            _item("Events", "bolt", "webhookhub.event"),
            _item("Attempts", "history", "deliveries.deliveryattempt"),
            _item("Jobs", "playlist_play", "deliveries.job"),
        ]
    },
    {
        "title": "Customers",
        "items": [
            _item("Accounts", "group", "webhookhub.account"),
            _item("API keys", "key", "webhookhub.apikey"),
        ],
    },
    {
        "title": "Set-up",
        "items": [
            _item("Event types", "category", "webhookhub.eventtype"),
            _item("Delivery profiles", "tune", "subscriptions.profile"),
            _item("Periodic tasks", "schedule", "django_celery_beat.periodictask"),
            _item("Intervals", "timer", "django_celery_beat.intervalschedule"),
            _item("Crontabs", "calendar_month", "django_celery_beat.crontabschedule"),
            _item("Clocked", "alarm", "django_celery_beat.clockedschedule"),
            _item("Solar events", "wb_twilight", "django_celery_beat.solarschedule"),
        ],
    },
    {
        "title": "Who may do what",
        "items": [
            _item("Users", "person", "auth.user"),
            _item("Groups", "groups", "auth.group"),
        ],
    },
]
