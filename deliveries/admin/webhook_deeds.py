"""What does an administrator do to a webhook, and who may? Each deed with its reason."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, assert_never

from django import forms
from django.conf import settings
from django.core.mail import send_mail
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from deliveries.admin.deeds import DeedForm, InWords
from deliveries.admin.health import read_health
from deliveries.admin.letter import write_letter
from deliveries.objections import Objection
from deliveries.outcome import OutcomeCode
from deliveries.try_out import try_out, wait_for_attempt
from subscriptions.models import Subscription
from subscriptions.rotation import LONGEST_GRACE, rotate_secret
from subscriptions.subscribe import pause, resume, set_enabled
from webhookhub.errors import WebhookHubError

SMTP = "django.core.mail.backends.smtp.EmailBackend"
CHANGE = "subscriptions.change_subscription"


class Kind(StrEnum):
    """One thing that can be done."""

    ENABLE = "enable"
    DISABLE = "disable"
    PAUSE = "pause"
    RESUME = "resume"
    ROTATE = "rotate"
    TEST = "test"
    NOTIFY = "notify"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDeed(InWords):
    """One thing that can be done to webhooks."""

    kind: Kind
    permission: str = CHANGE
    is_for_several: bool = True


DEEDS = {
    deed.kind: deed
    for deed in (
        WebhookDeed(
            kind=Kind.ENABLE,
            title="Enable",
            done="Enabled",
            help="It is told again. What was held, and has not expired, is released.",
        ),
        WebhookDeed(
            kind=Kind.DISABLE,
            title="Disable",
            done="Disabled",
            help="It is told nothing. What is on its way is held; what happens meanwhile is not kept for it.",
        ),
        WebhookDeed(
            kind=Kind.PAUSE,
            title="Pause",
            done="Paused",
            help="It is told nothing for now. What is on its way is held, and so is what happens meanwhile.",
        ),
        WebhookDeed(
            kind=Kind.RESUME,
            title="Resume",
            done="Resumed",
            help="What was held, and has not expired, is released, the oldest first.",
        ),
        WebhookDeed(
            kind=Kind.ROTATE,
            title="Rotate secret",
            done="Rotated the secret",
            help="A new secret signs from now on; the old ones sign as well for as long as you say.",
            permission="subscriptions.rotate_secret_of_subscription",
            is_for_several=False,
        ),
        WebhookDeed(
            kind=Kind.TEST,
            title="Send a test event",
            done="Sent a test event",
            help="It goes to this webhook alone, in a single attempt.",
            permission="subscriptions.test_subscription",
            is_for_several=False,
        ),
        WebhookDeed(
            kind=Kind.NOTIFY,
            title="Notify contact",
            done="Wrote to the contact",
            help="Read the mail over before it is sent.",
            permission="subscriptions.notify_contact_of_subscription",
            is_for_several=False,
        ),
    )
}


class RotateForm(DeedForm):
    """For how long the old ones sign as well."""

    grace_hours = forms.IntegerField(
        label="Hours for which the old secret signs as well",
        initial=24,
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds() // 3600),
        widget=UnfoldAdminIntegerFieldWidget,
    )


class NotifyForm(DeedForm):
    """The mail."""

    to = forms.EmailField(widget=UnfoldAdminTextInputWidget)
    subject = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(max_length=10_000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 16}))

    def clean_subject(self) -> str:
        """On one line: a header has no more."""
        return " ".join(str(self.cleaned_data["subject"]).split())


class NotDone(Exception):
    """It could not be done; the text says why."""


def form_of(kind: Kind, subscription: Subscription, data: Any) -> DeedForm:
    """What has to be said for it, with what is there already."""
    match kind:
        case Kind.ROTATE:
            return RotateForm(data)
        case Kind.NOTIFY:
            return NotifyForm(data, initial=write_letter(subscription, read_health(subscription))._asdict())
        case Kind.ENABLE | Kind.DISABLE | Kind.PAUSE | Kind.RESUME | Kind.TEST:
            return DeedForm(data)
        case _:
            assert_never(kind)


def do(kind: Kind, subscription: Subscription, said: Mapping[str, Any]) -> str:
    """Do it, and say what else there is to know. Raises NotDone."""
    match kind:
        case Kind.ENABLE | Kind.DISABLE:
            set_enabled(subscription, kind is Kind.ENABLE)
        case Kind.PAUSE:
            pause(subscription)
        case Kind.RESUME:
            resume(subscription)
        case Kind.ROTATE:
            return _rotate(subscription, said["grace_hours"])
        case Kind.TEST:
            return _test(subscription)
        case Kind.NOTIFY:
            _notify(said)
        case _:
            assert_never(kind)
    return ""


def _rotate(subscription: Subscription, grace_hours: int) -> str:
    try:
        secrets = rotate_secret(subscription, grace=timedelta(hours=grace_hours))
    except WebhookHubError as error:
        raise NotDone(str(error)) from error
    return f"The new secret, which the receiver verifies with: {secrets.shown}"


def _test(subscription: Subscription) -> str:
    trial = try_out(subscription)
    if isinstance(trial, Objection):
        raise NotDone(trial.words)
    # A receiver that takes longer is waited for by the delivery's page.
    attempt = wait_for_attempt(trial, timeout_seconds=0)
    if attempt is None:
        return f"There is no answer yet: look at {trial.delivery.shown_id} later."
    answer = attempt.status_code or attempt.error or attempt.outcome
    verdict = "accepted it" if attempt.outcome == OutcomeCode.DELIVERED else "did not accept it"
    return f"The receiver {verdict}: {answer}."


def _notify(said: Mapping[str, Any]) -> None:
    if settings.EMAIL_BACKEND == SMTP and not settings.EMAIL_HOST:
        raise NotDone("The mail could not be sent: no mail server is set (EMAIL_HOST, or WEBHOOKHUB_MAIL_HOST).")
    try:
        send_mail(said["subject"], said["text"], None, [said["to"]])
    except (OSError, smtplib.SMTPException) as error:
        raise NotDone(f"The mail could not be sent: {error}") from error
