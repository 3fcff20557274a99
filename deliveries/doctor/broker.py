"""Does the broker keep what it is told, and take more? Redis, Valkey or RabbitMQ, asked with a client's rights."""

from __future__ import annotations

from collections.abc import Iterator

from deliveries.doctor.finding import Finding, Severity, parse_version
from webhookhub import doorbell
from webhookhub.doorbell import BrokerFacts

AREA = "broker"
LEAST = {"redis": "6.2", "valkey": "7.2", "RabbitMQ": "3.10"}
# Of the memory and the clients that it may have.
CROWDED = 0.8


def examine_broker() -> list[Finding]:
    """All of it; where the broker does not answer, that alone."""
    try:
        facts = doorbell.ask_broker()
    except doorbell.BROKER_ERRORS as error:
        what = f"the broker does not answer: {' '.join(str(error).split())[:200]}"
        remedy = "see that it runs and that CELERY_BROKER_URL is right; nothing is lost meanwhile, and nothing goes out"
        return [Finding(area=AREA, severity=Severity.ERROR, what=what, remedy=remedy)]
    wrong = list(judge_broker(facts))
    return wrong or [Finding(area=AREA, severity=Severity.OK, what=f"{facts.product} {facts.version}")]


def judge_broker(facts: BrokerFacts) -> Iterator[Finding]:
    """What is wrong with such a broker."""
    least = LEAST.get(facts.product, "0")
    if parse_version(facts.version) < parse_version(least):
        yield _bad(f"{facts.product} {facts.version} is older than {least}", f"upgrade to {least} or newer")
    if facts.eviction_policy != "noeviction":
        what = f"maxmemory-policy is {facts.eviction_policy}: short of memory, it drops messages and whole queues"
        yield _bad(what, "set maxmemory-policy noeviction, with a Redis that is not shared with a cache")
    if not facts.is_persistent:
        what = "it forgets all messages when it restarts: the sweep brings them again, some half a minute late"
        yield _bad(what, "set appendonly yes", severity=Severity.WARNING)
    if facts.memory_used_bytes > CROWDED * facts.memory_max_bytes > 0:
        what = f"{facts.memory_used_bytes} of {facts.memory_max_bytes} bytes are taken; full, it takes no more messages"
        yield _bad(what, "raise maxmemory, or start more workers", severity=Severity.WARNING)
    if facts.clients > CROWDED * facts.clients_max > 0:
        what = f"{facts.clients} of {facts.clients_max} clients are connected"
        yield _bad(what, "raise maxclients", severity=Severity.WARNING)
    if not facts.takes_messages:
        what = "RabbitMQ takes no messages: it is short of memory or disk"
        yield _bad(what, "rabbitmq-diagnostics alarms says of which; give it more, or start more workers")


def _bad(what: str, remedy: str, *, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(area=AREA, severity=severity, what=what, remedy=remedy)
