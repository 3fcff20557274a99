"""Who wants what, where to, and how? Subscriptions, their signing secrets, and the profiles that deliveries follow."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from subscriptions.profiles import BodyForm, DeliveryProfile
from subscriptions.statuses import RetryRule, StatusSet
from webhookhub import ids
from webhookhub.models import Account


class AuthKind(models.TextChoices):
    """How a webhook's requests prove to the receiver who sends them, besides the signature."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    HEADER = "header"
    OAUTH2 = "oauth2"


class Profile(models.Model):
    """A delivery profile as a row, so that an administrator can copy and edit it. `subscriptions.profiles` explains the fields."""

    name = models.SlugField(primary_key=True, max_length=50)
    description = models.TextField(blank=True)
    timeout_seconds = models.FloatField(
        help_text="For one attempt, from name resolution to the last byte of the answer."
    )
    success_statuses = models.CharField(
        max_length=200, help_text="Codes and classes between commas: `2xx` or `200,204`."
    )
    retry_on = models.CharField(
        max_length=200, help_text="`any`, or `no_answer` and statuses between commas: `no_answer,408,503`."
    )
    stop_on_gone = models.BooleanField(default=True, help_text="Whether an answer of 410 ends the delivery.")
    intervals_seconds = ArrayField(
        models.FloatField(),
        default=list,
        blank=True,
        help_text="The waits before attempts 2, 3, and so on, between commas.",
    )
    max_interval_seconds = models.FloatField(
        null=True, blank=True, help_text="After those, go on with growing waits up to this; empty: stop."
    )
    backoff_factor = models.FloatField(default=2, help_text="By which each further wait grows.")
    max_attempts = models.PositiveIntegerField(
        null=True, blank=True, help_text="The first one included; empty: no limit."
    )
    expires_after_seconds = models.FloatField(help_text="Counted from the delivery's creation.")
    jitter_ratio = models.FloatField(
        default=0, help_text="0.1: a wait is drawn from 10 % below to 10 % above its length."
    )
    retry_after_cap_seconds = models.FloatField(help_text="The longest Retry-After that is heard; 0: none.")
    body_form = models.CharField(max_length=32, choices=[(form.value, form.value) for form in BodyForm])
    user_agent = models.CharField(max_length=200, blank=True, help_text="Empty: the hub's own.")
    request_id_parameter = models.CharField(
        max_length=64, blank=True, help_text="Name of a query parameter that carries the delivery's id; empty: none."
    )

    class Meta:
        db_table = "webhookhub_profile"
        ordering: ClassVar = ["name"]
        verbose_name = "delivery profile"

    def __str__(self) -> str:
        return self.name

    def to_value(self) -> DeliveryProfile:
        """The row as the rules read it. Raises InvalidProfileError or StatusTextError, which say what would be right."""
        return DeliveryProfile(
            name=self.name,
            description=self.description,
            timeout_seconds=self.timeout_seconds,
            success_statuses=StatusSet.parse(self.success_statuses),
            retry_on=RetryRule.parse(self.retry_on),
            stop_on_gone=self.stop_on_gone,
            intervals_seconds=tuple(self.intervals_seconds),
            max_interval_seconds=self.max_interval_seconds,
            backoff_factor=self.backoff_factor,
            max_attempts=self.max_attempts,
            expires_after_seconds=self.expires_after_seconds,
            jitter_ratio=self.jitter_ratio,
            retry_after_cap_seconds=self.retry_after_cap_seconds,
            body_form=BodyForm(self.body_form),
            user_agent=self.user_agent or None,
            request_id_parameter=self.request_id_parameter or None,
        )


class Subscription(models.Model):
    """One webhook of an account: a URL, what it wants to hear, and how it is told."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="subscriptions")
    uid = models.CharField(max_length=256, null=True, blank=True, help_text="The webhook's id in your own system.")
    description = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2048)
    event_types = ArrayField(
        models.CharField(max_length=128),
        default=list,
        blank=True,
        help_text="Patterns: `*` for all, `order.*` for all that begin so, or a type in full.",
    )
    entity_type = models.CharField(max_length=128, blank=True)
    action = models.CharField(max_length=32, blank=True)
    payload_filter = models.JSONField(null=True, blank=True, help_text="Which data it wants; empty: any.")
    enabled = models.BooleanField(default=True)
    paused_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when its deliveries are held; empty: they are not."
    )
    profile = models.ForeignKey(Profile, on_delete=models.PROTECT, default="standard")
    overrides = models.JSONField(
        default=dict, blank=True, help_text="Fields of the profile that are different for this webhook."
    )
    auth_kind = models.CharField(max_length=16, choices=AuthKind.choices, default=AuthKind.NONE)
    encrypted_credentials = models.TextField(blank=True, editable=False)
    # A JSON object of names and values; whether a value is secret stands beside it.
    encrypted_headers = models.TextField(blank=True, editable=False)
    rate_limit_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Attempts; empty: no limit.")
    concurrency_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Requests on the wire at a time, of all workers; empty: the hub's own limit."
    )
    metadata = models.JSONField(default=dict, blank=True)
    # Raised by database triggers with every change of the row, its secrets or its profile: workers reload when it moved.
    version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "webhookhub_subscription"
        permissions: ClassVar = [
            ("rotate_secret_of_subscription", "Can rotate the secrets of subscriptions"),
            ("test_subscription", "Can send test events to subscriptions"),
            ("notify_contact_of_subscription", "Can write to the contacts of subscriptions"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "uid"], name="subscription_uid"),
            # 002_44c3dd7dc10608b6.txt: the pair "cannot be repeated in other webhooks" of the account.
            models.UniqueConstraint(
                fields=["account", "entity_type", "action"],
                name="subscription_entity_action",
                condition=~models.Q(entity_type=""),
            ),
        ]

    def __str__(self) -> str:
        return f"subscription {self.shown_id} ({self.url})"

    @property
    def takes_deliveries(self) -> bool:
        """Whether what there is for it goes out now."""
        return self.enabled and self.paused_at is None

    @property
    def shown_id(self) -> str:
        """The id as it appears to people: `sub_…`."""
        return ids.show("subscription", self.id)


class Secret(models.Model):
    """A signing secret of a subscription. During a rotation two are valid: the old one until its `expires_at`."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="secrets")
    encrypted_text = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhookhub_secret"

    def __str__(self) -> str:
        return f"secret of {self.created_at:%Y-%m-%d %H:%M}"


class CircuitState(models.TextChoices):
    """How the hub goes about an endpoint that has failed lately."""

    OPEN = "open"  # nothing is sent
    HALF_OPEN = "half_open"  # a probe is under way, and nothing else is sent
    RECOVERING = "recovering"  # what was held goes out in steps
    CLOSED = "closed"  # all is sent; what was counted before does not count against it any more
    WOULD_OPEN = "would_open"  # all is sent, as the breaker only reports


# While nothing is sent, but for a probe.
HOLDING_STATES = (CircuitState.OPEN, CircuitState.HALF_OPEN)


class Circuit(models.Model):
    """What stands between the hub and a subscription whose endpoint fails, or failed lately. Without a row it is closed.

    Written by `deliveries.breaker` and `hold`; whoever changes the endpoint makes the next probe come at once. A database trigger
    raises the subscription's version where it makes a difference to what may be sent, so all workers know before their next attempt.
    """

    subscription = models.OneToOneField(
        Subscription, primary_key=True, on_delete=models.DO_NOTHING, related_name="circuit"
    )
    state = models.CharField(max_length=16, choices=CircuitState.choices)
    since = models.DateTimeField(
        help_text="Probes that failed do not count: since when its endpoint is down, or is back."
    )
    reason = models.CharField(max_length=100, blank=True, help_text="Why it opened last.")
    openings = models.PositiveIntegerField(default=0, help_text="How often it opened in a row.")
    probe_at = models.DateTimeField(null=True, help_text="When the next probe may go.")
    probe_id = models.UUIDField(null=True, help_text="The delivery that is let through ...")
    probe_attempt = models.PositiveIntegerField(null=True, help_text="... and the number of its attempt that is.")
    is_slow = models.BooleanField(
        default=False, help_text="Whether its endpoint takes long to answer: its deliveries have a queue of their own."
    )
    step_size = models.PositiveIntegerField(default=0, help_text="Deliveries that were to be released last.")
    step_ids = ArrayField(models.UUIDField(), default=list, help_text="Those that were.")

    class Meta:
        db_table = "webhookhub_circuit"

    def __str__(self) -> str:
        return f"{self.state} circuit of {ids.show('subscription', self.subscription_id)}"

    @property
    def is_holding(self) -> bool:
        """Whether nothing is sent, but for a probe."""
        return self.state in HOLDING_STATES


class AccessToken(models.Model):
    """The access token that a subscription with OAuth2 credentials proves itself with, the same for all workers.

    A database trigger drops it with the subscription, and with every change of the credentials. Whoever fetches one first
    writes `asked_at`, so that nobody else does, and no lock is held meanwhile; what they get is only taken while it still
    stands there.
    """

    subscription = models.OneToOneField(Subscription, primary_key=True, on_delete=models.DO_NOTHING, related_name="+")
    encrypted_token = models.TextField(blank=True, editable=False)
    fetched_at = models.DateTimeField(null=True, help_text="Tells this token from the ones before.")
    refresh_at = models.DateTimeField(null=True, help_text="From then on the next one is fetched; empty: nobody knows.")
    expires_at = models.DateTimeField(null=True, help_text="From then on it is not used; empty: nobody knows.")
    rejected_at = models.DateTimeField(null=True, help_text="When the receiver last turned one away.")
    asked_at = models.DateTimeField(null=True, help_text="When somebody began to fetch one who has not ended.")
    error = models.CharField(max_length=300, blank=True, help_text="Why the last one was not to be had.")
    retry_at = models.DateTimeField(null=True, help_text="Before that nobody asks again.")

    class Meta:
        db_table = "webhookhub_access_token"

    def __str__(self) -> str:
        return f"token of {ids.show('subscription', self.subscription_id)}"
