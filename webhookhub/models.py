"""Whose events are they, and what happened? Accounts, their API keys, and the events they recorded."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models

from webhookhub import ids


class Account(models.Model):
    """A customer: it owns events, subscriptions and API keys, and never sees another's."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    name = models.CharField(max_length=200)
    contact_email = models.EmailField(
        blank=True, help_text="Who is told when a webhook of this account stops responding."
    )
    # Raised by a database trigger with every change of the account's subscriptions; fan-out reloads its index when it moved.
    subscriptions_version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "webhookhub_account"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_id(self) -> str:
        """The id as it appears to people: `acc_…`."""
        return ids.show("account", self.id)


class ApiKey(models.Model):
    """A key to the API of one account. The key itself is shown once; only its SHA-256 is stored."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16, help_text="The first characters of the key, to tell keys apart.")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhookhub_api_key"
        verbose_name = "API key"

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
    data = models.TextField(help_text="JSON, exactly as it is sent.")
    created_at = models.DateTimeField()
    wake_at = models.DateTimeField(
        null=True, help_text="When the sweep looks for a lost fan-out; empty once fanned out."
    )

    class Meta:
        db_table = "webhookhub_event"
        indexes: ClassVar = [
            # Read by the sweep: events whose fan-out was never heard of.
            models.Index(fields=["wake_at"], name="event_wake_at", condition=models.Q(wake_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.shown_id}"

    @property
    def shown_id(self) -> str:
        """The id as receivers see it: `evt_…`."""
        return ids.show("event", self.id)


def account_id_of(account: Account | UUID | str) -> UUID:
    """The id behind an account, its UUID, or its shown id. Raises BadIdError."""
    match account:
        case Account():
            return account.id
        case UUID():
            return account
        case _:
            return ids.read("account", str(account))
