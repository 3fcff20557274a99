"""On which machine, with which versions, were the figures made?"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection
from kombu import Connection

from scripts.benchmark.receivers import receiver_name

CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str | int]:
    """What a reader needs to compare the figures with those of another machine."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgresql,) = cursor.fetchone()
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "python": platform.python_version(),
        "celery": version("celery"),
        "postgresql": str(postgresql),
        "broker": _broker(),
        "transport": settings.WEBHOOKHUB.transport,
        "receiver": receiver_name(),
    }


def _cpu_model() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _broker() -> str:
    url = settings.CELERY_BROKER_URL
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            facts = client.info("server")
        return f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"
    with Connection(url) as connection:
        connection.connect()
        facts = connection.connection.server_properties
        return f"{facts['product']} {facts['version']}"
