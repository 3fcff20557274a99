"""The Celery application of the naive sender, set up as Celery's first-steps pages show it."""

from __future__ import annotations

import os

from celery import Celery

QUEUE = "naive"

# Beside the hub's own application, which stays the current one.
app = Celery("naive", broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
app.conf.task_default_queue = QUEUE
app.conf.task_ignore_result = True
app.autodiscover_tasks(["scripts.benchmark"], related_name="naive_tasks")
