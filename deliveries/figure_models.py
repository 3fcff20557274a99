"""What is counted, and for how long is it known? What `record` counted, what it adds up to, and totals that only grow."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

# Instead of a subscription's id: all of them together. No UUIDv7 is this one.
WHOLE_HUB = UUID(int=0)

# The upper bounds of the histograms' buckets, each included; above the last one there is one more bucket.
BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Tally(models.Model):
    """What one statement counted: the n-th entries of all arrays are one delivery's. Append-only, so that nobody waits for
    anybody, and gone within seconds: `tally` adds it to the figures.
    """

    recorded_at = models.DateTimeField(db_default=Now())
    subscription_ids = ArrayField(models.UUIDField())
    account_ids = ArrayField(models.UUIDField())
    outcomes = ArrayField(models.TextField(), help_text="Of the attempt; empty: the delivery ended without one.")
    statuses = ArrayField(models.TextField(), help_text="Where the delivery stands now.")
    total_ms = ArrayField(models.FloatField(null=True))
    latency_seconds = ArrayField(
        models.FloatField(null=True), help_text="From the event's record to a first attempt; empty for others."
    )
    connections_reused = ArrayField(models.BooleanField(null=True))

    class Meta:
        db_table = "webhookhub_tally"

    def __str__(self) -> str:
        return f"tally of {self.recorded_at}"


class Figures(models.Model):
    """What was recorded of one subscription's deliveries, or of all (`WHOLE_HUB`), in one stretch of time.

    An attempt whose worker was lost counts as such, even where its result is heard of later.
    """

    pk = models.CompositePrimaryKey("subscription_id", "starts_at")
    subscription_id = models.UUIDField()
    account_id = models.UUIDField(null=True, help_text="Empty for the whole hub.")
    starts_at = models.DateTimeField()
    attempts = models.PositiveBigIntegerField()
    accepted = models.PositiveBigIntegerField(help_text="Attempts whose answer was a success.")
    declined = models.PositiveBigIntegerField(help_text="Attempts whose answer was none.")
    unanswered = models.PositiveBigIntegerField(help_text="Attempts without a whole answer.")
    lost = models.PositiveBigIntegerField(help_text="Attempts whose worker was lost.")
    delivered = models.PositiveBigIntegerField(help_text="Deliveries that arrived.")
    failed = models.PositiveBigIntegerField(help_text="Deliveries that were given up, or expired.")
    reused = models.PositiveBigIntegerField(help_text="Attempts on a connection that was open already.")
    timed = models.PositiveBigIntegerField(help_text="Attempts whose duration is known.")
    total_ms = models.FloatField(help_text="Their durations together.")
    durations = ArrayField(models.BigIntegerField(), help_text="How many of them fell into each bucket.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.subscription_id} from {self.starts_at}"


class MinuteFigures(Figures):
    """The figures of a minute, kept for two days."""

    class Meta:
        db_table = "webhookhub_figures_minute"
        indexes: ClassVar = [
            # Read for what all subscriptions did lately, and by maintenance.
            models.Index(fields=["starts_at"], name="figures_minute_starts_at"),
        ]


class HourFigures(Figures):
    """The figures of an hour, kept as long as deliveries are."""

    class Meta:
        db_table = "webhookhub_figures_hour"
        indexes: ClassVar = [
            models.Index(fields=["starts_at"], name="figures_hour_starts_at"),
        ]


class Counter(models.Model):
    """Something counted since the hub began: it never falls, whatever is forgotten."""

    pk = models.CompositePrimaryKey("name", "label")
    name = models.CharField(max_length=32)
    label = models.CharField(max_length=32, blank=True)
    value = models.FloatField()

    class Meta:
        db_table = "webhookhub_counter"

    def __str__(self) -> str:
        return f"{self.name} {self.label}: {self.value}"
