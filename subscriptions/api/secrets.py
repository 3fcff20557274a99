"""What does a webhook sign with? Shown to its account's administrators, and rotated by them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.api.views import WebhookView, find_webhook
from subscriptions.errors import TooManySecretsError
from subscriptions.rotation import DEFAULT_GRACE, LONGEST_GRACE, OldSecret, SigningSecrets, read_secrets, rotate_secret
from subscriptions.signing_secrets import SecretKind
from webhookhub.api.bodies import Body, Choice, Text, Whole, read_body
from webhookhub.api.problems import Problem
from webhookhub.api.schema import ACCOUNT, answers, example
from webhookhub.moments import iso_moment
from webhookhub.roles import Right

_OLD = {"type": "hmac", "createdAt": "2026-01-15T10:00:00.000Z", "expiresAt": "2026-02-16T10:00:00.000Z"}
_SHOWN = {
    "type": "hmac",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "createdAt": "2026-02-15T10:00:00.000Z",
    "older": [_OLD],
}
_PAIR = {**_SHOWN, "type": "ed25519", "secret": "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="}
_ANSWERS = [
    example("A secret", _SHOWN),
    example("The public key of a key pair", _PAIR),
]


class RotationBody(Body):
    """How to go on signing. An empty object makes a new secret, and lets the old ones sign for another day."""

    secret = Text(
        required=False,
        allow_null=True,
        help_text="Instead of a new one: `whsec_` and base64 of 24 to 64 bytes, 16 to 256 bytes of text of your own, or "
        "`whsk_` and base64 of an ed25519 private key.",
    )
    type = Choice(
        list(SecretKind),
        required=False,
        allow_null=True,
        help_text="Of the new one: `hmac` (the default), or `ed25519` for a key pair whose public key receivers have.",
    )
    graceSeconds = Whole(
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds()),
        default=int(DEFAULT_GRACE.total_seconds()),
        help_text="How long the old ones sign along.",
    )


class OldSecretShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A secret that signs along."""

    type = serializers.CharField(help_text="`hmac` or `ed25519`.")
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True, help_text="From then on it signs no more.")


class SecretShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What a webhook signs with."""

    type = serializers.CharField(help_text="`hmac` or `ed25519`.")
    secret = serializers.CharField(
        help_text="What receivers verify with: the newest secret as it was given or made, or `whpk_…`, the public key."
    )
    createdAt = serializers.DateTimeField()
    older = OldSecretShown(many=True, help_text="Those that sign along, newest first.")


class SecretView(WebhookView):
    """The secrets of one webhook."""

    rights: ClassVar = {"GET": Right.ADMINISTER}

    @extend_schema(
        operation_id="webhooks_secret",
        summary="Show what a webhook signs with",
        parameters=[ACCOUNT],
        responses=answers(200, SecretShown),
        examples=_ANSWERS,
        tags=["webhooks"],
    )
    def get(self, request: Request, webhook: str) -> Response:
        """The newest secret, and when the older ones end. A private key is never shown."""
        return Response(show_secrets(read_secrets(find_webhook(request, webhook))))


class SecretRotationView(WebhookView):
    """The change to another secret."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="webhooks_rotate_secret",
        summary="Sign with another secret",
        parameters=[ACCOUNT],
        request=RotationBody,
        responses=answers(200, SecretShown),
        examples=[
            OpenApiExample("A new secret, and an hour to change over", value={"graceSeconds": 3600}, request_only=True),
            OpenApiExample("A key pair", value={"type": "ed25519"}, request_only=True),
            OpenApiExample("One of your own", value={"secret": "my-own-secret-of-old"}, request_only=True),
            *_ANSWERS,
        ],
        tags=["webhooks"],
    )
    def post(self, request: Request, webhook: str) -> Response:
        """It signs with the new one from the next attempt on, and with the old ones until their grace is over.

        At most 10 old ones sign along: `too_many_secrets` (400) says that one of them has to end first. The plain family
        (`X-Webhook-Signature`) carries the oldest secret's signature alone, and none where only key pairs sign.
        """
        body = read_body(RotationBody, request.data)
        try:
            rotated = rotate_secret(
                find_webhook(request, webhook),
                text=body.get("secret"),
                kind=body.get("type"),
                grace=timedelta(seconds=body["graceSeconds"]),
            )
        except TooManySecretsError as error:
            raise Problem(400, error.code, str(error)) from None
        return Response(show_secrets(rotated))


def show_secrets(secrets: SigningSecrets) -> dict[str, Any]:
    """The secrets as the API shows them."""
    return {
        "type": secrets.kind.value,
        "secret": secrets.shown,
        "createdAt": iso_moment(secrets.created_at),
        "older": [_show_old(old) for old in secrets.older],
    }


def _show_old(old: OldSecret) -> dict[str, Any]:
    expires_at = None if old.expires_at is None else iso_moment(old.expires_at)
    return {"type": old.kind.value, "createdAt": iso_moment(old.created_at), "expiresAt": expires_at}
