"""The Celery application: `celery -A config.celery worker`, `celery -A config.celery beat`."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("webhookhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery closes Django's connections around every task; this number of tasks keeps them, and Django's own rules
# (CONN_MAX_AGE, health checks) apply, see `deliveries.tasks`.
app.conf.CELERY_DB_REUSE_MAX = 1_000_000_000
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Django's settings have set up logging already; with a receiver here, Celery leaves it alone."""
