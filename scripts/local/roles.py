"""Which processes make up a hub, and with which command does each start? docker-compose.yml uses the same commands."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from scripts.local.processes import StopSteps

# TERM lets a worker finish its batches, QUIT makes it give them back.
WORKER_STOP: StopSteps = ((signal.SIGTERM, 20.0), (signal.SIGQUIT, 3.0))
SERVER_STOP: StopSteps = ((signal.SIGTERM, 5.0),)
# Workers know of each other through nothing but PostgreSQL: what they would tell each other is only traffic.
WORKER_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """One process of the hub."""

    name: str
    command: tuple[str, ...]
    """A Python module that is a program, and its arguments."""
    stop_steps: StopSteps


RECEIVER = Role(name="receiver", command=("scripts.local.receiver",), stop_steps=SERVER_STOP)
DELIVERIES = Role(
    name="deliveries",
    command=(
        *("celery", "-A", "config", "worker", "-n", "deliveries@%h", "-Q", "deliveries,deliveries.slow"),
        # One more than the cores of a small machine: while one waits for the database, another builds or records.
        *("--concurrency", "3", *WORKER_OPTIONS),
    ),
    stop_steps=WORKER_STOP,
)
WORKER = Role(
    name="worker",
    command=(
        *("celery", "-A", "config", "worker", "-n", "worker@%h", "-Q", "fanout,maintenance"),
        *("--concurrency", "2", *WORKER_OPTIONS),
    ),
    stop_steps=WORKER_STOP,
)
BEAT = Role(
    name="beat",
    command=("celery", "-A", "config", "beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"),
    stop_steps=SERVER_STOP,
)
# Where it listens is said by GRANIAN_HOST and GRANIAN_PORT.
WEB = Role(name="web", command=("granian", "--interface", "asgi", "config.asgi:application"), stop_steps=SERVER_STOP)

# The order of stopping: nothing new comes in, then what is under way ends, and still finds its receiver.
# What stands together stops together.
STOP_ORDER = ((WEB, BEAT), (WORKER, DELIVERIES), (RECEIVER,))
