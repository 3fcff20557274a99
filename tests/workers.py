"""Which broker do tests use that run beside others? Each of pytest-xdist's workers has a database of Redis of its own.

Databases of PostgreSQL pytest-django tells apart by itself, and the acceptance tests start servers for each worker.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

from celery import current_app


def use_own_broker() -> None:
    """Change this process's broker, and that of the processes it starts, if it is one of several."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        url = url_of_worker(current_app.conf.broker_url, worker)
        current_app.conf.broker_url = os.environ["CELERY_BROKER_URL"] = url


def url_of_worker(url: str, worker: str) -> str:
    """The same Redis, another database: of `redis://…/0` it is `redis://…/2` for `gw1`."""
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0) + 1 + int(worker.removeprefix("gw"))
    return urlunsplit(parts._replace(path=f"/{number}"))
