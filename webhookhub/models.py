"""Whose events are they, and what happened? Accounts, their API keys, the events they recorded, and the types there are."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from webhookhub import ids
from webhookhub.roles import Role


class Account(models.Model):
    """A customer: it owns events, subscriptions and API keys, and never sees another's."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    name = models.CharField(max_length=200)
    uid = models.CharField(
        max_length=256, unique=True, null=True, blank=True, help_text="The customer's id in your own system."
    )
    contact_email = models.EmailField(
        blank=True, help_text="Who is told when a webhook of this account stops responding."
    )
    has_webhooks = models.BooleanField(default=True, help_text="Whether the account's plan includes webhooks.")
    validates_events = models.BooleanField(
        default=False, help_text="Whether an event must fit the JSON Schema of its type to be accepted."
    )
    metadata = models.JSONField(default=dict, blank=True)
    # Raised by a database trigger with every change of the account's subscriptions; fan-out reloads its index when it moved.
    subscriptions_version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "webhookhub_account"
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [
            # Read every few seconds by whoever publishes: the accounts whose events are checked.
            models.Index(fields=["id"], name="account_validates", condition=models.Q(validates_events=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_id(self) -> str:
        """The id as it appears to people: `acc_…`."""
        return ids.show("account", self.id)


class ApiKey(models.Model):
    """A key to the API: of one account, or an operator's to all. It is shown once; only its SHA-256 is stored."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys", null=True, blank=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.ADMINISTRATOR)
    prefix = models.CharField(max_length=16, help_text="The first characters of the key, to tell keys apart.")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="Within a minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhookhub_api_key"
        verbose_name = "API key"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="api_key_operator_has_no_account",
                condition=models.Q(role=Role.OPERATOR, account=None)
                | ~models.Q(role=Role.OPERATOR) & ~models.Q(account=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Event(models.Model):
    """A fact that was recorded: immutable, but for `wake_at`. The table is partitioned on the id, which is time."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.ForeignKey(
        Account, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    type = models.CharField(max_length=128)
    entity_type = models.CharField(max_length=128, blank=True)
    action = models.CharField(max_length=32, blank=True)
    subject = models.CharField(max_length=2048, blank=True, help_text="A link to what the event is about.")
    correlation_id = models.CharField(max_length=256, blank=True)
    data = models.TextField(help_text="JSON, exactly as it is sent; empty once it was expunged.")
    created_at = models.DateTimeField()
    wake_at = models.DateTimeField(
        null=True, help_text="When the sweep looks for a lost fan-out; empty once fanned out."
    )

    class Meta:
        db_table = "webhookhub_event"
        indexes: ClassVar = [
            # Read by the sweep: events whose fan-out was never heard of.
            models.Index(fields=["wake_at"], name="event_wake_at", condition=models.Q(wake_at__isnull=False)),
            # Read by the lists of an account's events and deliveries, the newest first.
            models.Index(fields=["account", "id"], name="event_account"),
            # Read by both lists when they are asked for one correlation id.
            models.Index(
                fields=["account", "correlation_id", "id"],
                name="event_correlation",
                condition=~models.Q(correlation_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"event {self.shown_id} ({self.type})"

    @property
    def shown_id(self) -> str:
        """The id as receivers see it: `evt_…`."""
        return ids.show("event", self.id)


class EventType(models.Model):
    """A type of event as the catalogue describes it, the same for every account."""

    name = models.CharField(primary_key=True, max_length=128)
    description = models.TextField(blank=True)
    schema = models.JSONField(null=True, blank=True, help_text="JSON Schema of an event's data.")
    example = models.JSONField(null=True, blank=True, help_text="Data of an event of this type, sent by tests.")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "webhookhub_event_type"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """What was published under a key, so that the same request again is answered the same and records nothing twice."""

    pk = models.CompositePrimaryKey("account_id", "key")
    account_id = models.UUIDField()
    key = models.CharField(max_length=300)
    fingerprint = models.BinaryField(help_text="BLAKE2b of what was published.")
    event_ids = ArrayField(models.UUIDField())
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "webhookhub_idempotency_key"
        indexes: ClassVar = [
            # Read by maintenance, which forgets old keys.
            models.Index(fields=["created_at"], name="idempotency_key_created_at"),
        ]

    def __str__(self) -> str:
        return str(self.key)


class ProcessKind(models.TextChoices):
    """What a process of the hub is for."""

    WORKER = "worker"
    WEB = "web"
    BEAT = "beat"  # seen whenever a sweep runs that it asked for


class Process(models.Model):
    """A process of the hub that says from time to time that it is there. `presence` knows who writes and who reads this."""

    pk = models.CompositePrimaryKey("kind", "name")
    kind = models.CharField(max_length=16, choices=ProcessKind.choices)
    name = models.CharField(max_length=200)
    queues = ArrayField(models.TextField(), default=list, help_text="What a worker takes messages from.")
    children = models.PositiveIntegerField(default=0, help_text="Processes that a worker works with.")
    waiting_events = models.PositiveIntegerField(default=0, help_text="Events that a web process has yet to record.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "webhookhub_process"
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def account_id_of(account: Account | UUID | str) -> UUID:
    """The id behind an account, its UUID, or its shown id. Raises BadIdError."""
    match account:
        case Account():
            return account.id
        case UUID():
            return account
        case _:
            return ids.read("account", str(account))
