"""What has to reach whom, and what became of every try? Deliveries and their attempts, both partitioned on their id."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from deliveries import figure_models  # noqa: F401 - Django looks for models here
from subscriptions.models import Subscription
from webhookhub import ids
from webhookhub.models import Account, Event


class Status(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Every move a delivery may make; the three final ones are never left.
ALLOWED_MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PENDING, Status.HELD, Status.DELIVERED, Status.FAILED, Status.CANCELLED}),
    Status.HELD: frozenset({Status.PENDING, Status.FAILED, Status.CANCELLED}),
    Status.DELIVERED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


# Nobody was told, and nobody has said that nobody need be: what an administrator has to look at.
UNDELIVERED = (Status.PENDING, Status.HELD, Status.FAILED)

# The last outcome of a delivery that waits for a limit of its webhook: it stands in line, and is called when its turn comes.
RATE_LIMITED = "rate_limited"
CONCURRENCY_LIMITED = "concurrency_limited"
# The last outcome of a delivery that is held until its endpoint answers again: see `breaker`.
CIRCUIT_OPEN = "circuit_open"

# The trigger of a test's delivery: it is attempted once, whatever its profile says.
TEST_TRIGGER = "test"


class Delivery(models.Model):
    """One event on its way to one subscription.

    `due_at`: no attempt before this; a claim pushes it to the end of the lease. `wake_at`: when the sweep must look at the
    row if nothing else has happened; empty once nothing more can happen. `claimed_at`: set while a worker owns the row, and
    the token that its results must carry.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    account = models.ForeignKey(
        Account, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    trigger = models.CharField(
        max_length=64, default="event", help_text="What asked for it: the event itself, or a replay."
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempt_count = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    wake_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    failure_reason = models.CharField(max_length=32, blank=True)
    last_outcome = models.CharField(max_length=32, blank=True)
    last_status_code = models.PositiveSmallIntegerField(null=True)

    class Meta:
        db_table = "webhookhub_delivery"
        verbose_name_plural = "deliveries"
        permissions: ClassVar = [
            ("cancel_delivery", "Can cancel deliveries"),
            ("retry_delivery", "Can have deliveries attempted now"),
            ("replay_delivery", "Can send the events of deliveries once more"),
            ("move_expiry_of_delivery", "Can move the expiry of deliveries"),
        ]
        indexes: ClassVar = [
            # Read by the sweep: lost doorbells, lost workers, due retries and expiries, all in one.
            models.Index(fields=["wake_at"], name="delivery_wake_at", condition=models.Q(wake_at__isnull=False)),
            # Read by `hold`: what is released next, the oldest first.
            models.Index(fields=["subscription", "id"], name="delivery_held_by_age", condition=models.Q(status="held")),
            # Read by the list of a webhook's deliveries, the newest first, and by its statistics.
            models.Index(fields=["subscription", "id"], name="delivery_subscription"),
            # Read by the lists of an account's deliveries that are outstanding, failed or cancelled.
            models.Index(
                fields=["account", "status", "id"],
                name="delivery_not_delivered",
                condition=~models.Q(status="delivered"),
            ),
            # Read by the admin's list of what nobody was told yet, of all accounts.
            models.Index(
                fields=["status", "id"],
                name="delivery_undelivered",
                condition=models.Q(status__in=["pending", "held", "failed"]),
            ),
            # Read by `line`: who waits for a webhook's limit, the oldest first.
            models.Index(
                fields=["subscription", "id"],
                name="delivery_in_line",
                condition=models.Q(status="pending", last_outcome__in=[RATE_LIMITED, CONCURRENCY_LIMITED]),
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.shown_id}"

    @property
    def shown_id(self) -> str:
        """The id as it appears to people: `dlv_…`."""
        return ids.show("delivery", self.id)


class DeliveryAttempt(models.Model):
    """One HTTP request and what came of it. Append-only; its id is computed from the delivery's and the number."""

    id = models.UUIDField(primary_key=True, editable=False)
    delivery_id = models.UUIDField()
    number = models.PositiveIntegerField(help_text="1 for the first attempt of a delivery.")
    started_at = models.DateTimeField()
    outcome = models.CharField(max_length=32)
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True)
    dns_ms = models.FloatField(null=True)
    connect_ms = models.FloatField(null=True)
    tls_ms = models.FloatField(null=True)
    first_byte_ms = models.FloatField(null=True)
    total_ms = models.FloatField(null=True)
    peer_address = models.CharField(max_length=64, blank=True)
    connection_reused = models.BooleanField(default=False)
    response_headers = models.TextField(blank=True, help_text="One `name: value` a line.")
    response_body = models.TextField(blank=True)
    response_truncated = models.BooleanField(default=False)
    response_expunged = models.BooleanField(db_default=False, help_text="Headers and body were removed on request.")

    class Meta:
        db_table = "webhookhub_delivery_attempt"
        verbose_name = "attempt"

    def __str__(self) -> str:
        return f"attempt {self.number} of {ids.show('delivery', self.delivery_id)}"


class LimitState(models.Model):
    """How much of its limits a webhook has used, in all workers together.

    Whoever would use more locks the row, so it has to hold all that is counted: what another table says is as old as the
    statement that waited for the lock.
    """

    holder_id = models.UUIDField(primary_key=True, help_text="The subscription whose limits these are.")
    next_free_at = models.DateTimeField(help_text="Every moment before this one has been given to an attempt.")
    called_until = models.DateTimeField(help_text="For the moments before this one deliveries have been called.")
    line_ends_at = models.DateTimeField(help_text="When the last one in line will go, as far as can be told.")
    waiting_at = models.DateTimeField(
        null=True, help_text="When somebody joined the line last; empty: nobody is in it."
    )
    places = models.JSONField(
        default=dict, help_text="Who may be on the wire: deliveries, each until when, in seconds since 1970."
    )

    class Meta:
        db_table = "webhookhub_limit_state"

    def __str__(self) -> str:
        return f"limits of {ids.show('subscription', self.holder_id)}"


class JobKind(models.TextChoices):
    """What a job does to each delivery that its filter finds."""

    CANCEL = "cancel"
    RETRY = "retry"
    REPLAY = "replay"
    MOVE_EXPIRY = "move_expiry"


class JobStatus(models.TextChoices):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(models.Model):
    """One thing to do to many deliveries, done by a worker in steps.

    `position` is the last delivery that was dealt with, kept in the transaction that dealt with it: a worker that dies
    costs one step at most, and none is done twice. `wake_at`: when the sweep rings for it; empty once it is over.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.ForeignKey(
        Account,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Whose deliveries; empty: everybody's.",
    )
    kind = models.CharField(max_length=16, choices=JobKind.choices)
    filter = models.JSONField(default=dict, help_text="Which deliveries, in the words of the list's parameters.")
    reason = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True, help_text="The new expiry, of a job that moves it.")
    status = models.CharField(max_length=16, choices=JobStatus.choices, default=JobStatus.WAITING)
    position = models.UUIDField(null=True)
    examined = models.PositiveBigIntegerField(default=0, help_text="Deliveries that the filter found so far.")
    changed = models.PositiveBigIntegerField(default=0, help_text="Those that it could be done to.")
    error = models.CharField(max_length=500, blank=True)
    wake_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhookhub_job"
        indexes: ClassVar = [
            # Read by the sweep: jobs whose worker or message was lost.
            models.Index(fields=["wake_at"], name="job_wake_at", condition=models.Q(wake_at__isnull=False)),
            models.Index(fields=["account", "id"], name="job_account"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.shown_id}"

    @property
    def shown_id(self) -> str:
        """The id as it appears to people: `job_…`."""
        return ids.show("job", self.id)
