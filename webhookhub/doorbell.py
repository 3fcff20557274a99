"""How is a worker told to look? The only module that publishes to Celery: a message carries ids and means "look at these now".

Nothing depends on a message: where the broker is away, the ring is dropped with a warning and the sweep finds the rows.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu import Exchange, Queue
from kombu.exceptions import KombuError
from kombu.transport import pyamqp, redis

logger = logging.getLogger("webhookhub.doorbell")

FANOUT = "fanout"
DELIVERIES = "deliveries"
SLOW_DELIVERIES = "deliveries.slow"
MAINTENANCE = "maintenance"
QUEUES = (FANOUT, DELIVERIES, SLOW_DELIVERIES, MAINTENANCE)

# Ids in one message: what one claim and one record statement handle well; a message costs as much as ten deliveries.
CHUNK = 100
# After a failed ring nobody tries for so long: whoever records events must not wait for a dead broker again and again.
QUIET_SECONDS = 5.0
# For RabbitMQ to say that it takes no messages: it does so at once, or not at all.
ALARM_SECONDS = 1.0
# A broker that is away, and one that refuses us: kombu hands on as it is what RabbitMQ says of a password, a virtual host
# or a queue of another type.
BROKER_ERRORS: tuple[type[Exception], ...] = (
    KombuError,
    OSError,
    *pyamqp.Transport.connection_errors,
    *pyamqp.Transport.channel_errors,
)

_quiet_until = 0.0


def ring(task: str, ids: Sequence[UUID], *, queue: str, countdown_seconds: float = 0) -> bool:
    """Ask a worker of `queue` to run `task` on `ids`, at most CHUNK of them a message; on none, nobody is asked.

    False if the broker could not be reached.
    """
    global _quiet_until  # noqa: PLW0603 - one memory of the broker's last failure for the whole process
    if not ids:
        return True
    if time.monotonic() < _quiet_until:
        return False
    try:
        with current_app.producer_or_acquire() as producer, producer.batch():
            for share in _shares(ids):
                current_app.send_task(
                    task,
                    args=([identifier.hex for identifier in share],),
                    queue=queue,
                    countdown=countdown_seconds or None,
                    producer=producer,
                    ignore_result=True,
                )
    except BROKER_ERRORS as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        logger.warning(
            "ring dropped", extra={"task": task, "count": len(ids), "queue": queue, "reason": str(error)[:200]}
        )
        return False
    return True


def _shares(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """The ids in as few messages as can be, all alike: a rest of its own would cost as much as a full one."""
    messages = math.ceil(len(ids) / CHUNK)
    for number in range(messages):
        yield ids[number * len(ids) // messages : (number + 1) * len(ids) // messages]


def ring_on_commit(task: str, ids: Sequence[UUID], *, queue: str) -> None:
    """Ring once the transaction has committed. Whatever goes wrong then is in the log, and not the caller's."""

    # Not a partial: Django logs the `__qualname__` of what raised, and raises itself where there is none.
    def ring_now() -> None:
        ring(task, ids, queue=queue)

    transaction.on_commit(ring_now, robust=True)


def waiting(queue: str) -> int:
    """Messages that wait in `queue`; none where the broker is away, which the ring that follows finds out and says."""
    depths = read_depths([queue])
    return 0 if depths is None else depths[queue]


def read_depths(queues: Sequence[str] = QUEUES) -> dict[str, int] | None:
    """Messages that wait in each of the queues; None where the broker is away."""
    try:
        with current_app.connection_or_acquire() as connection:
            # Without it kombu fails with an AttributeError of its own where nobody listens.
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            return {queue: _count(connection, queue) for queue in queues}
    except BROKER_ERRORS:
        return None


def _count(connection: Any, queue: str) -> int:
    with connection.channel() as channel:
        # Not a passive declaration: kombu asks Redis for the queue without our `global_keyprefix`, and never finds it.
        declared: Any = current_app.amqp.queues[queue](channel).queue_declare(passive=False, channel=channel)
        return int(declared.message_count)


def broker_answers() -> bool:
    """Whether the broker can be reached, asked within two seconds and with nothing published."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except BROKER_ERRORS:
        return False
    return True


class BrokerFacts(NamedTuple):
    """What a broker says of itself. What it does not tell is as it should be."""

    product: str
    """redis, valkey or RabbitMQ."""
    version: str
    eviction_policy: str = "noeviction"
    is_persistent: bool = True
    memory_used_bytes: int = 0
    memory_max_bytes: int = 0
    """0: no limit."""
    clients: int = 0
    clients_max: int = 0
    """0: not known."""
    takes_messages: bool = True
    """Not while RabbitMQ is short of memory or disk: it lets everybody wait who publishes."""


def ask_broker() -> BrokerFacts:
    """What can be asked of it with a client's rights. Raises one of BROKER_ERRORS."""
    is_rabbitmq = current_app.conf.broker_url.startswith("amqp")
    # A confirmation would not come from a broker that takes no messages.
    options = {"confirm_publish": False} if is_rabbitmq else {}
    with current_app.connection_for_write(transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        return _ask_rabbitmq(connection) if is_rabbitmq else _ask_redis(connection)


def _ask_rabbitmq(connection: Any) -> BrokerFacts:
    said = connection.connection.server_properties
    blocked: list[str] = []
    connection.connection.on_blocked = blocked.append
    # It tells nobody of an alarm but those who publish: to a queue that there is not, so nothing is kept.
    connection.Producer().publish("", exchange="", routing_key=f"{FANOUT}.nobody")
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=ALARM_SECONDS)
    return BrokerFacts(product=str(said["product"]), version=str(said["version"]), takes_messages=not blocked)


def _ask_redis(connection: Any) -> BrokerFacts:
    client = connection.default_channel.client
    said = client.info()
    is_valkey = said.get("server_name") == "valkey"
    return BrokerFacts(
        product="valkey" if is_valkey else "redis",
        version=str(said["valkey_version" if is_valkey else "redis_version"]),
        eviction_policy=said["maxmemory_policy"],
        is_persistent=bool(said["aof_enabled"]) or _has_snapshots(client),
        memory_used_bytes=said["used_memory"],
        memory_max_bytes=said["maxmemory"],
        clients=said["connected_clients"],
        clients_max=said.get("maxclients", 0),
    )


def _has_snapshots(client: Any) -> bool:
    """Whether Redis is set to save what it holds; it counts as set where we may not ask."""
    try:
        return bool(client.config_get("save").get("save"))
    except redis.Transport.channel_errors:
        return True


def countdown_is_safe() -> bool:
    """Whether a short countdown may wait in a worker. Not on RabbitMQ's quorum queues: there it would hold the worker's
    whole prefetch, so near retries wait for the sweep as all others do.
    """
    return not current_app.conf.broker_url.startswith("amqp")


class LastingChannel(redis.Channel):
    """A channel to Redis whose end a worker survives.

    When the broker goes away, kombu 5.7.0 gives messages back and acknowledges them on a channel that is closed already;
    AttributeError was the answer, and the end of the worker. A lost connection is an error that Celery knows.
    """

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the broker went away while this channel was in use")
        return super()._connparams(*arguments, **options)  # type: ignore[misc]  # kombu carries types for its surface only


redis.Transport.Channel = LastingChannel


def queues(broker_url: str) -> tuple[Queue, ...]:
    """The queues of the hub for `task_queues`: quorum queues on RabbitMQ, which survive the loss of a node."""
    arguments = {"x-queue-type": "quorum"} if broker_url.startswith("amqp") else None
    return tuple(
        Queue(name, Exchange("webhookhub", type="direct"), routing_key=name, queue_arguments=arguments)
        for name in QUEUES
    )


def transport_options(broker_url: str) -> dict[str, Any]:
    """Celery's `broker_transport_options` for this broker: no call to it may wait for ever."""
    if broker_url.startswith("amqp"):
        return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5, "connect_timeout": 2}
    return {
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        # A message of a killed worker returns after an hour; its deliveries have long been found by their lease.
        "visibility_timeout": 3600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 3,
        "global_keyprefix": "webhookhub:",
    }
