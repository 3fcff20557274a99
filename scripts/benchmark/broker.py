"""Where do the messages of a benchmark go? To a place on the broker that no running hub uses, emptied afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import amqp
import redis
from kombu import Connection, Queue

from scripts.benchmark.errors import BrokerInUse, ServerMissing
from webhookhub import doorbell

# In a Redis database of ours: what it belongs to, so that what a killed benchmark left can be told from a hub's keys.
MARKER = "benchmark"
REDIS_DATABASES = range(15, 0, -1)
QUEUES = (doorbell.FANOUT, doorbell.DELIVERIES, doorbell.SLOW_DELIVERIES, doorbell.MAINTENANCE, "naive")


@contextlib.contextmanager
def benchmark_broker(url: str, *, owner: str) -> Iterator[str]:
    """The URL of a place of our own on the same broker, for as long as the block runs. `owner` tells benchmarks apart.

    On Redis another database, on RabbitMQ the queues of this virtual host. Raises BrokerInUse, ServerMissing.
    """
    place = _redis_database(url, owner) if url.startswith("redis") else _unused_virtual_host(url)
    try:
        with place as chosen_url:
            yield chosen_url
    except (redis.ConnectionError, OSError) as error:
        raise ServerMissing(f"The broker of CELERY_BROKER_URL cannot be reached: {error}") from error


@contextlib.contextmanager
def _redis_database(url: str, owner: str) -> Iterator[str]:
    parts = urlsplit(url)
    for number in REDIS_DATABASES:
        chosen_url = urlunsplit(parts._replace(path=f"/{number}"))
        with contextlib.closing(redis.Redis.from_url(chosen_url)) as client:
            if client.dbsize() and client.get(MARKER) != owner.encode():
                continue
            client.flushdb()
            client.set(MARKER, owner)
            try:
                yield chosen_url
            finally:
                client.flushdb()
            return
    raise BrokerInUse("All databases of the Redis in CELERY_BROKER_URL have keys in them.")


@contextlib.contextmanager
def _unused_virtual_host(url: str) -> Iterator[str]:
    with Connection(url) as connection:
        for queue in QUEUES:
            _check_unused(connection, queue)
        try:
            yield url
        finally:
            for queue in QUEUES:
                Queue(queue, channel=connection.default_channel).delete()


def _check_unused(connection: Connection, queue: str) -> None:
    try:
        # A channel of its own: asking for a queue that is not there closes it.
        with connection.channel() as channel:
            found: Any = Queue(queue, channel=channel).queue_declare(passive=True)
    except amqp.NotFound:
        return
    if found.message_count or found.consumer_count:
        raise BrokerInUse(f"The queue {queue} of CELERY_BROKER_URL is in use; name a virtual host of its own.")
