"""Rotation: a webhook changes over to another secret, and no receiver is turned away meanwhile."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from subscriptions.endpoints import load_endpoints
from subscriptions.errors import LimitError, SigningSecretError, TooManySecretsError
from subscriptions.models import Secret, Subscription
from subscriptions.rotation import (
    LONGEST_GRACE,
    MOST_OLD_SECRETS,
    SigningSecrets,
    add_secret,
    read_secrets,
    reveal_secret,
    rotate_secret,
)
from subscriptions.signing import sign
from subscriptions.signing_secrets import SecretKind, generate_secret, parse_secret
from tests.integration.rows import run_at_once
from webhookhub.conf import hub_settings
from webhookhub.errors import EncryptionKeyError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "a secret of one's own"
SEED = bytes(range(32))
PAIR = "whsk_" + base64.b64encode(SEED).decode()
PUBLIC = "whpk_" + base64.b64encode(Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()).decode()
HOUR = timedelta(hours=1)

Subscribed = Callable[..., Subscription]


@pytest.fixture
def subscription(subscribed: Subscribed) -> Subscription:
    return subscribed(secret=SECRET)


def live_texts(subscription: Subscription, *, after: timedelta = timedelta()) -> list[str]:
    version = Subscription.objects.values_list("version", flat=True).get(id=subscription.id)
    endpoint = load_endpoints({subscription.id: version})[subscription.id]
    return [secret.text for secret in endpoint.live_secrets(timezone.now() + after)]


def signed(subscription: Subscription) -> dict[str, str]:
    secrets = [parse_secret(text) for text in live_texts(subscription)]
    return dict(sign(b"{}", event_id="evt_1", timestamp=1, secrets=secrets))


def test_during_a_rotation_both_secrets_sign_the_newest_first_and_then_only_the_new_one(
    subscription: Subscription,
) -> None:
    new = rotate_secret(subscription, grace=HOUR).shown
    assert new.startswith("whsec_")
    assert live_texts(subscription) == [new, SECRET]
    assert live_texts(subscription, after=2 * HOUR) == [new]


def test_without_a_grace_the_old_secret_signs_no_more(subscription: Subscription) -> None:
    new = rotate_secret(subscription, text=OTHER, grace=timedelta(0))
    assert (new.shown, new.older) == (OTHER, ())
    assert live_texts(subscription) == [OTHER]


def test_during_a_rotation_both_families_still_verify_with_the_old_secret(subscription: Subscription) -> None:
    before = signed(subscription)
    rotate_secret(subscription)
    during = signed(subscription)
    assert before["webhook-signature"] in during["webhook-signature"].split()
    assert during["X-Webhook-Signature"] == before["X-Webhook-Signature"]


def test_after_two_rotations_three_secrets_sign_and_none_longer_than_was_said(subscription: Subscription) -> None:
    second = rotate_secret(subscription, grace=2 * HOUR).shown
    third = rotate_secret(subscription, grace=HOUR, text=OTHER).shown
    assert live_texts(subscription) == [third, second, SECRET]
    # The second rotation said an hour for all that was there.
    assert live_texts(subscription, after=timedelta(minutes=61)) == [third]


def test_a_second_rotation_does_not_revive_or_prolong_a_secret_that_ends_sooner(subscription: Subscription) -> None:
    rotate_secret(subscription, grace=timedelta(minutes=1))
    rotate_secret(subscription, grace=HOUR)
    assert SECRET not in live_texts(subscription, after=timedelta(minutes=2))
    assert len(live_texts(subscription, after=timedelta(minutes=2))) == 2


def test_key_pairs_and_secrets_take_turns_and_sign_side_by_side(subscription: Subscription) -> None:
    pair = rotate_secret(subscription, text=PAIR)
    assert (pair.kind, pair.shown) == (SecretKind.ED25519, PUBLIC)
    rotate_secret(subscription, text=OTHER)
    kinds = [signature.partition(",")[0] for signature in signed(subscription)["webhook-signature"].split()]
    assert kinds == ["v1", "v1a", "v1"]
    assert [old.kind for old in read_secrets(subscription).older] == [SecretKind.ED25519, SecretKind.HMAC]


def test_a_key_pair_is_made_on_request_and_its_private_half_is_shown_to_nobody(subscription: Subscription) -> None:
    made = rotate_secret(subscription, kind=SecretKind.ED25519, grace=timedelta(0))
    (private,) = live_texts(subscription)
    assert private.startswith("whsk_")
    assert made.shown == reveal_secret(subscription) == parse_secret(private).shown
    assert made.shown.startswith("whpk_")


@pytest.mark.parametrize("text", ["short", "whsec_c2hvcnQ=", "whsk_" + "A" * 43, PUBLIC, ""])
def test_a_rotation_to_what_is_no_secret_changes_nothing(subscription: Subscription, text: str) -> None:
    with pytest.raises(SigningSecretError) as refused:
        rotate_secret(subscription, text=text)
    assert not text or text not in str(refused.value)
    assert live_texts(subscription) == [SECRET]


def test_a_secret_of_another_kind_than_was_said_is_refused(subscription: Subscription) -> None:
    with pytest.raises(SigningSecretError, match="of the type hmac, not ed25519") as refused:
        rotate_secret(subscription, text=OTHER, kind=SecretKind.ED25519)
    assert refused.value.field == "secret"
    assert live_texts(subscription) == [SECRET]


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), LONGEST_GRACE + timedelta(seconds=1)])
def test_a_grace_ends_within_a_week(subscription: Subscription, grace: timedelta) -> None:
    with pytest.raises(LimitError, match="from 0 to 604800"):
        rotate_secret(subscription, grace=grace)


def test_ten_old_secrets_sign_beside_the_newest_and_the_next_rotation_waits_for_one_to_end(
    subscription: Subscription,
) -> None:
    for _ in range(MOST_OLD_SECRETS):
        newest = rotate_secret(subscription, grace=HOUR)
    assert len(newest.older) == MOST_OLD_SECRETS
    with pytest.raises(TooManySecretsError, match="10 old secrets still sign"):
        rotate_secret(subscription, text=OTHER, grace=HOUR)
    assert read_secrets(subscription) == newest

    oldest = Secret.objects.filter(subscription=subscription).earliest("created_at")
    Secret.objects.filter(id=oldest.id).update(expires_at=timezone.now())
    assert rotate_secret(subscription, text=OTHER, grace=HOUR).shown == OTHER
    assert SECRET not in live_texts(subscription)


def test_a_rotation_without_a_grace_works_however_many_old_ones_sign(subscription: Subscription) -> None:
    for _ in range(MOST_OLD_SECRETS):
        rotate_secret(subscription)
    rotate_secret(subscription, text=OTHER, grace=timedelta(0))
    assert live_texts(subscription) == [OTHER]


def test_a_rotation_deletes_what_has_ended_and_leaves_other_webhooks_alone(
    subscription: Subscription, subscribed: Subscribed
) -> None:
    other = subscribed(secret=OTHER)
    add_secret(other, SECRET, expires_at=timezone.now() - HOUR)
    add_secret(subscription, OTHER, expires_at=timezone.now() - HOUR)
    rotate_secret(subscription)
    assert subscription.secrets.count() == 2
    assert other.secrets.count() == 2
    assert live_texts(other) == [OTHER]


def test_a_secret_that_has_ended_is_not_shown_as_an_old_one(subscription: Subscription) -> None:
    rotate_secret(subscription)
    add_secret(subscription, OTHER, expires_at=timezone.now() - HOUR)
    assert [old.kind for old in read_secrets(subscription).older] == [SecretKind.HMAC]
    assert reveal_secret(subscription) != OTHER


def test_a_webhook_without_a_secret_that_signs_has_none_to_show(subscription: Subscription) -> None:
    Secret.objects.update(expires_at=timezone.now())
    with pytest.raises(Secret.DoesNotExist):
        reveal_secret(subscription)


def test_the_new_secret_is_the_newest_though_the_clock_was_wrong_before(subscription: Subscription) -> None:
    Secret.objects.update(created_at=F("created_at") + HOUR)
    new = rotate_secret(subscription)
    assert live_texts(subscription) == [new.shown, SECRET]
    assert reveal_secret(subscription) == new.shown


def test_of_rotations_at_once_each_takes_the_other_s_secret_for_an_old_one(subscription: Subscription) -> None:
    barrier = Barrier(4)

    def rotate() -> SigningSecrets:
        barrier.wait()
        return rotate_secret(subscription, grace=HOUR)

    rotated = run_at_once([rotate] * 4)
    assert sorted(len(one.older) for one in rotated) == [1, 2, 3, 4]
    assert len(live_texts(subscription)) == 5
    assert Secret.objects.filter(expires_at=None).count() == 1


def test_a_rotation_of_a_webhook_that_was_deleted_says_so(subscription: Subscription) -> None:
    Subscription.objects.filter(id=subscription.id).delete()
    with pytest.raises(Subscription.DoesNotExist):
        rotate_secret(subscription)


def test_a_rotation_is_four_statements(subscription: Subscription) -> None:
    with CaptureQueriesContext(connection) as captured:
        rotate_secret(subscription)
    assert len(captured) == 4, "begin, lock, rotate, commit"


def test_a_stored_secret_is_longer_than_the_clear_one_and_does_not_contain_it(subscription: Subscription) -> None:
    for text in (SECRET, OTHER, PAIR):
        rotate_secret(subscription, text=text)
        stored = subscription.secrets.latest("created_at").encrypted_text
        assert len(stored) > len(text)
        assert text not in stored


def test_without_the_key_nobody_is_told_a_secret_and_everybody_the_reason(
    subscription: Subscription, settings: Settings
) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"encryption_keys": ()})
    with pytest.raises(EncryptionKeyError, match="encryption_keys is empty"):
        reveal_secret(subscription)
    with pytest.raises(EncryptionKeyError, match="encryption_keys is empty"):
        rotate_secret(subscription)


def test_a_made_secret_of_each_kind_is_read_again() -> None:
    for kind in SecretKind:
        assert parse_secret(generate_secret(lambda count: b"\7" * count, kind)).kind == kind
