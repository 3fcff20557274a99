"""What does an administrator do to deliveries, and who may? To some of them at once, to many by a job; each deed with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries.cancel import cancel
from deliveries.models import JobKind
from deliveries.move_expiry import move_expiry
from deliveries.objections import Objection
from deliveries.replay import replay
from deliveries.retry_now import retry_now
from webhookhub import ids
from webhookhub.admin.journal import LONGEST_REASON


@dataclass(frozen=True, kw_only=True, slots=True)
class InWords:
    """One thing that can be done, as people are asked about it."""

    title: str
    done: str
    """As the log has it."""
    help: str
    permission: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed(InWords):
    """One thing that can be done to deliveries."""

    kind: JobKind


DEEDS = {
    deed.kind: deed
    for deed in (
        Deed(
            kind=JobKind.CANCEL,
            title="Cancel",
            done="Cancelled",
            help="Nothing more is sent. What is on the wire at this moment goes on, and is recorded.",
            permission="deliveries.cancel_delivery",
        ),
        Deed(
            kind=JobKind.RETRY,
            title="Retry now",
            done="Retried now",
            help="What waits for its next attempt has it at once; its schedule goes on from there.",
            permission="deliveries.retry_delivery",
        ),
        Deed(
            kind=JobKind.REPLAY,
            title="Replay",
            done="Replayed",
            help="The event is sent once more, as a new delivery with the same id on the wire.",
            permission="deliveries.replay_delivery",
        ),
        Deed(
            kind=JobKind.MOVE_EXPIRY,
            title="Move expiry",
            done="Moved the expiry",
            help="What is outstanding is attempted until this moment, and no longer.",
            permission="deliveries.move_expiry_of_delivery",
        ),
    )
}


def _ask_why(help_text: str) -> forms.CharField:
    return forms.CharField(max_length=LONGEST_REASON, widget=UnfoldAdminTextInputWidget, help_text=help_text)


class DeedForm(forms.Form):
    """Why."""

    reason = _ask_why("Kept in the admin's log under your name.")


class CancelForm(DeedForm):
    """Why; the receiver's side sees it, too."""

    reason = _ask_why("Kept in the admin's log under your name; its first 32 characters also with each delivery.")


class MoveExpiryForm(DeedForm):
    """Until when, and why."""

    expires_at = forms.DateTimeField(
        label="Expires at (UTC)",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )

    def clean_expires_at(self) -> datetime:
        """Raises ValidationError for a moment that has passed: to end deliveries, cancel them."""
        moment: datetime = self.cleaned_data["expires_at"]
        if moment <= timezone.now():
            raise forms.ValidationError("has passed; to end deliveries at once, cancel them")
        return moment


def form_of(kind: JobKind) -> type[DeedForm]:
    """What has to be said for it."""
    match kind:
        case JobKind.MOVE_EXPIRY:
            return MoveExpiryForm
        case JobKind.CANCEL:
            return CancelForm
        case JobKind.RETRY | JobKind.REPLAY:
            return DeedForm
        case _:
            assert_never(kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of it."""

    changed: list[UUID]
    refused: Mapping[Objection, int]


def do(kind: JobKind, delivery_ids: Sequence[UUID], said: Mapping[str, Any]) -> Result:
    """Do it to these deliveries, with what was said in the form."""
    match kind:
        case JobKind.CANCEL:
            return _over(delivery_ids, cancel(delivery_ids, reason=said["reason"]))
        case JobKind.MOVE_EXPIRY:
            return _over(delivery_ids, move_expiry(delivery_ids, expires_at=said["expires_at"]))
        case JobKind.RETRY:
            retried = retry_now(delivery_ids)
            return Result(changed=retried.due, refused=Counter(retried.refused.values()))
        case JobKind.REPLAY:
            replayed = replay(delivery_ids, request=ids.new_id().hex)
            changed = [identifier for identifier in delivery_ids if identifier not in replayed.refused]
            return Result(changed=changed, refused=Counter(replayed.refused.values()))
        case _:
            assert_never(kind)


def _over(delivery_ids: Sequence[UUID], changed: set[UUID]) -> Result:
    """Of what can be done to all that are not over."""
    rest = len(set(delivery_ids) - changed)
    return Result(changed=sorted(changed), refused={Objection.FINAL: rest} if rest else {})
