"""Which claims may go out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from deliveries.admit import Refusal, admit
from subscriptions.endpoints import DatedSecret, Endpoint, OpenCircuit
from tests.unit.claimed import NOON, OLD_SECRET, SECRET, SUBSCRIPTION, claim, endpoint, fact
from webhookhub.ids import new_id


def expiring(seconds_after_noon: float) -> tuple[DatedSecret, ...]:
    return (DatedSecret(secret=SECRET, expires_at=NOON + timedelta(seconds=seconds_after_noon)),)


def test_a_claim_of_an_enabled_endpoint_goes_out_with_it() -> None:
    one, there = claim(), endpoint()
    admission = admit([one], {SUBSCRIPTION: there})
    assert (admission.admitted, admission.refused) == ([(one, there)], {})


@pytest.mark.parametrize(
    ("there", "refusal"),
    [
        (endpoint(enabled=False), Refusal.DISABLED),
        (endpoint(secrets=()), Refusal.DISABLED),
        (endpoint(secrets=expiring(0)), Refusal.DISABLED),  # at its end a secret no longer signs
    ],
)
def test_what_cannot_be_sent_or_signed_is_refused(there: Endpoint, refusal: Refusal) -> None:
    one = claim()
    admission = admit([one], {SUBSCRIPTION: there})
    assert (admission.admitted, admission.refused) == ([], {refusal: [one]})


def test_a_secret_signs_until_its_end() -> None:
    assert admit([claim()], {SUBSCRIPTION: endpoint(secrets=expiring(0.001))}).refused == {}


def test_one_secret_that_is_still_valid_is_enough() -> None:
    overlap = (DatedSecret(secret=OLD_SECRET, expires_at=None), *expiring(-1))
    assert admit([claim()], {SUBSCRIPTION: endpoint(secrets=overlap)}).refused == {}


@pytest.mark.parametrize("version", [None, 1])
def test_a_claim_whose_subscription_is_gone_is_refused_as_deleted(version: int | None) -> None:
    one = claim(subscription_version=version)
    assert admit([one], {}).refused == {Refusal.DELETED: [one]}


def test_a_subscription_that_the_database_no_longer_has_is_deleted_though_it_was_known_here() -> None:
    one = claim(subscription_version=None)
    assert admit([one], {SUBSCRIPTION: endpoint()}).refused == {Refusal.DELETED: [one]}


def test_of_an_open_circuit_only_the_probe_goes_out_by_its_one_attempt() -> None:
    probe, again, other = claim(attempt_number=2), claim(attempt_number=3), claim()
    again = again._replace(delivery_id=probe.delivery_id)
    there = endpoint(open_circuit=OpenCircuit(probe_id=probe.delivery_id, probe_attempt=2))
    admission = admit([other, probe, again], {SUBSCRIPTION: there})
    assert admission.admitted == [(probe, there)]
    assert admission.refused == {Refusal.CIRCUIT_OPEN: [other, again]}


@pytest.mark.parametrize(
    ("trigger", "refusals"), [("event", [Refusal.CIRCUIT_OPEN]), ("replay:1", [Refusal.CIRCUIT_OPEN]), ("test", [])]
)
def test_while_no_probe_is_under_way_only_tests_go_out_of_an_open_circuit(
    trigger: str, refusals: list[Refusal]
) -> None:
    admission = admit([claim(trigger=trigger)], {SUBSCRIPTION: endpoint(open_circuit=OpenCircuit())})
    assert list(admission.refused) == refusals


def test_a_disabled_endpoint_is_disabled_whatever_its_circuit() -> None:
    there = endpoint(enabled=False, open_circuit=OpenCircuit())
    assert list(admit([claim()], {SUBSCRIPTION: there}).refused) == [Refusal.DISABLED]


@pytest.mark.parametrize("there", [endpoint(), endpoint(enabled=False)])
def test_a_claim_whose_payload_was_expunged_is_refused_whatever_its_endpoint(there: Endpoint) -> None:
    one = claim(fact=fact(data=""))
    assert admit([one], {SUBSCRIPTION: there}).refused == {Refusal.EXPUNGED: [one]}


def test_claims_are_sorted_each_by_its_own_endpoint_and_keep_their_order() -> None:
    off, gone = new_id(), new_id()
    claims = [claim(subscription_id=to) for to in (SUBSCRIPTION, off, gone, SUBSCRIPTION, off)]
    there = endpoint()
    admission = admit(claims, {SUBSCRIPTION: there, off: replace(there, enabled=False)})
    assert admission.admitted == [(claims[0], there), (claims[3], there)]
    assert admission.refused == {Refusal.DISABLED: [claims[1], claims[4]], Refusal.DELETED: [claims[2]]}
