"""Is what was set what is wanted? Django's checks, misspelt variables, Celery's settings, and the encryption keys."""

from __future__ import annotations

from collections.abc import Iterator

from celery import current_app
from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Tags, run_checks

from deliveries.doctor.finding import Finding, Severity
from subscriptions.models import Secret
from webhookhub import doorbell
from webhookhub.encryption import decrypt
from webhookhub.errors import EncryptionKeyError

AREA = "configuration"
# Django's own four about HTTPS are one here.
_ABOUT_HTTPS = {"security.W004", "security.W008", "security.W012", "security.W016"}
# Of an own project's Celery, which the hub's own service has right: the setting, what it has to be, what else happens.
_CELERY = (
    ("task_acks_late", True, "what a worker had taken is gone when it is killed, until its lease ends"),
    ("worker_cancel_long_running_tasks_on_connection_loss", False, "a lost broker ends batches on the wire"),
    ("task_reject_on_worker_lost", False, "a batch that kills its worker is handed to the next one for ever"),
)


def examine_configuration() -> list[Finding]:
    """What needs no server to be known."""
    findings = [*_checks(), *_https(), *_celery()]
    return findings or [Finding(area=AREA, severity=Severity.OK, what="the settings are sound")]


def examine_secrets() -> list[Finding]:
    """Whether the keys in force open what is stored. Raises DatabaseError."""
    newest = Secret.objects.order_by("-created_at").values_list("encrypted_text", flat=True).first()
    if newest is None:
        return []
    try:
        decrypt(newest)
    except EncryptionKeyError as error:
        remedy = "put the key that it was stored under into WEBHOOKHUB_ENCRYPTION_KEYS, behind the newest one"
        return [Finding(area=AREA, severity=Severity.ERROR, what=str(error), remedy=remedy)]
    return [Finding(area=AREA, severity=Severity.OK, what="stored secrets can be read")]


def _checks() -> Iterator[Finding]:
    messages = [*run_checks(), *run_checks(tags=[Tags.security], include_deployment_checks=True)]
    seen: set[str] = set()
    for message in messages:
        if message.id not in _ABOUT_HTTPS and (text := str(message.msg)) not in seen:
            seen.add(text)
            yield _checked(message)


def _checked(message: CheckMessage) -> Finding:
    severity = Severity.ERROR if message.level >= ERROR else Severity.WARNING
    hint = " ".join((message.hint or "manage.py check says more").split())
    return Finding(area=AREA, severity=severity, what=" ".join(str(message.msg).split()), remedy=hint)


def _https() -> Iterator[Finding]:
    if not settings.SESSION_COOKIE_SECURE:
        what = "the hub is served over plain HTTP: keys and passwords can be read on the way"
        remedy = "have a proxy with TLS in front of it, and set WEBHOOKHUB_HTTPS=true"
        yield Finding(area=AREA, severity=Severity.WARNING, what=what, remedy=remedy)


def _celery() -> Iterator[Finding]:
    for name, right, otherwise in _CELERY:
        if getattr(current_app.conf, name) is not right:
            remedy = f"set CELERY_{name.upper()} = {right}"
            yield Finding(area=AREA, severity=Severity.WARNING, what=f"{name}: {otherwise}", remedy=remedy)
    if missing := set(doorbell.QUEUES) - set(current_app.amqp.queues):
        what = f"Celery does not know the queues {', '.join(sorted(missing))}"
        remedy = "set CELERY_TASK_QUEUES = webhookhub.doorbell.queues(CELERY_BROKER_URL), and your own"
        yield Finding(area=AREA, severity=Severity.ERROR, what=what, remedy=remedy)
