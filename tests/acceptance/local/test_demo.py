"""The demo: its preparation in a database, and its events through real workers to a real receiver."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.contrib.auth import get_user_model

from deliveries.models import Delivery, Status
from scripts.local.demo.account import DEMO_PROFILE, Administrator, find_subscription, prepare
from scripts.local.demo.follow import Expected, Standing
from scripts.local.hub import hub_environment
from scripts.local.receiver.endpoints import Agreement, EndpointName, read_agreement
from scripts.local.roles import BEAT, DELIVERIES, RECEIVER, WORKER
from scripts.local.servers import local_servers
from scripts.local.state import CHECKOUT, StateFolder, temporary_state
from scripts.local.supervisor import Supervisor
from subscriptions.auth import HeaderAuth
from subscriptions.endpoints import load_endpoints
from subscriptions.models import Profile
from subscriptions.subscribe import set_enabled
from webhookhub.api_keys import create_api_key, hash_api_key
from webhookhub.ids import new_id
from webhookhub.models import Account

API_KEY = "whk_0123456789abcdef"
ADMINISTRATOR = Administrator(name="admin", password="open sesame")
COMMAND_TIMEOUT_SECONDS = 150


def agree(letter: str) -> dict[EndpointName, Agreement]:
    secret = f"whsec_{letter * 32}"
    return {name: Agreement(signing_secret=secret, authorization=f"Basic {letter}") for name in EndpointName}


def prepare_demo(**changes: Any) -> Account:
    arguments: dict[str, Any] = {
        "receiver_url": "http://127.0.0.1:8001",
        "agreements": agree("A"),
        "api_key": API_KEY,
        "administrator": ADMINISTRATOR,
    }
    return prepare(**(arguments | changes))


def test_a_new_api_key_says_what_it_is_and_only_its_hash_is_stored(account: Account) -> None:
    first, second = create_api_key(account, "shop"), create_api_key(account, "shop")

    row = account.api_keys.get(key_hash=hash_api_key(first))
    assert re.fullmatch(r"whk_[0-9a-f]{64}", first)
    assert first != second
    assert first.startswith(row.prefix)
    assert first not in {str(value) for value in vars(row).values()}


@pytest.mark.django_db
def test_preparing_twice_makes_everything_once() -> None:
    first, second = prepare_demo(), prepare_demo()

    assert first == second
    assert first.subscriptions.count() == len(EndpointName)
    assert [key.key_hash for key in first.api_keys.filter(revoked_at=None)] == [hash_api_key(API_KEY)]
    user = get_user_model().objects.get()
    assert user.check_password("open sesame")
    assert (user.is_staff, user.is_superuser, user.is_active) == (True, True, True)


@pytest.mark.django_db
def test_the_demo_profile_is_the_standard_one_with_two_quick_retries_first() -> None:
    prepare_demo()

    demo = Profile.objects.get(name=DEMO_PROFILE).to_value()
    standard = Profile.objects.get(name="standard").to_value()
    assert demo == replace(
        standard,
        name="demo",
        description=demo.description,
        intervals_seconds=(1.0, 2.0, *standard.intervals_seconds),
    )


@pytest.mark.django_db
def test_preparing_puts_back_what_was_changed_and_follows_a_receiver_that_moved() -> None:
    account = prepare_demo()
    changed = find_subscription(account, EndpointName.CRM)
    assert changed is not None
    set_enabled(changed, False)

    prepare_demo(receiver_url="http://127.0.0.1:9001", agreements=agree("B"), api_key="whk_another")

    changed.refresh_from_db()
    endpoint = load_endpoints({changed.id: changed.version})[changed.id]
    assert (endpoint.url, endpoint.enabled) == ("http://127.0.0.1:9001/crm", True)
    assert endpoint.auth == HeaderAuth(name="Authorization", value="Basic B")
    assert [dated.secret.text for dated in endpoint.secrets] == [f"whsec_{'B' * 32}"]
    assert [key.key_hash for key in account.api_keys.filter(revoked_at=None)] == [hash_api_key("whk_another")]


GENUINE = {"status": 200, "verified": True, "standard": "verified", "plain": "verified", "authorized": True}


@pytest.mark.parametrize(
    ("arrivals", "problem"),
    [
        ([], "the hub says it is delivered, but the receiver has not accepted it"),
        ([GENUINE | {"status": 503}], "the hub says it is delivered, but the receiver has not accepted it"),
        (
            [GENUINE | {"verified": False, "plain": "wrong signature"}],
            "the receiver does not take it for genuine: wrong signature in X-Webhook-Signature",
        ),
        ([GENUINE | {"status": 503}, GENUINE], ""),
    ],
)
def test_what_the_hub_calls_delivered_counts_only_once_the_receiver_has_verified_it(
    arrivals: list[dict[str, Any]], problem: str
) -> None:
    expected = Expected(
        event_id=new_id(),
        event_type="order.shipped",
        endpoint=EndpointName.ORDERS,
        subscription_id=new_id(),
        url="http://127.0.0.1:8001/orders",
    )
    standing = Standing(expected=expected, delivery=Delivery(status=Status.DELIVERED), attempts=[], arrivals=arrivals)

    assert standing.problem == problem


class Hub:
    """A hub's processes, without a web server, and the demo against them."""

    def __init__(self, environment: Mapping[str, str], supervisor: Supervisor) -> None:
        self._environment = dict(environment)
        self.state = StateFolder(Path(environment["WEBHOOKHUB_STATE"]))
        self._supervisor = supervisor

    def demo(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self._supervisor.check()
        return subprocess.run(
            [sys.executable, "-P", "-m", "scripts.local.demo", *arguments],
            env=self._environment | variables,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )

    def run_sql(self, statement: str) -> None:
        with psycopg2.connect(self._environment["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with temporary_state() as state, local_servers(state, environment={}) as servers:
        environment = hub_environment(state, servers) | demo_variables(state)
        with Supervisor(state, environment=environment) as supervisor:
            supervisor.run_step("migrating", "manage.py", "migrate", "--no-input")
            supervisor.run_step("preparing", "-m", "scripts.local.demo", "prepare")
            for role in (RECEIVER, DELIVERIES, WORKER, BEAT):
                supervisor.start(role)
            yield Hub(environment, supervisor)


def demo_variables(state: StateFolder) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "PYTHONPATH": str(CHECKOUT),
        "WEBHOOKHUB_STATE": str(state.path),
        "WEBHOOKHUB_DEMO_RECEIVER_URL": f"http://127.0.0.1:{port}",
        "WEBHOOKHUB_DEMO_API_KEY": API_KEY,
        "WEBHOOKHUB_DEMO_ADMIN_USER": ADMINISTRATOR.name,
        "WEBHOOKHUB_DEMO_ADMIN_PASSWORD": ADMINISTRATOR.password,
    }


@pytest.fixture
def prepared_hub(hub: Hub) -> Hub:
    done = hub.demo("prepare")
    assert done.returncode == 0, done.stderr
    return hub


@pytest.fixture(scope="module")
def told(hub: Hub) -> str:
    """What a run without faults says, from beginning to end."""
    prepared, done = hub.demo("prepare"), hub.demo("emit")
    assert done.returncode == 0, done.stdout + done.stderr
    return prepared.stdout + done.stdout


@pytest.mark.acceptance
def test_every_demo_event_is_delivered_and_verified_and_told_line_by_line(told: str) -> None:
    lines = [line for line in told.splitlines() if "→" in line]
    assert len([line for line in lines if line.startswith("✓") and line.endswith("signature verified")]) == 9
    assert {endpoint for endpoint in EndpointName for line in lines if f"/{endpoint} " in line} == set(EndpointName)
    assert "9 of 9 deliveries arrived and were verified, in 11 attempts." in told
    assert "\x1b" not in told


@pytest.mark.acceptance
def test_the_retries_of_the_flaky_endpoint_are_seen_with_their_moments(told: str) -> None:
    flaky = [line for line in told.splitlines() if "/flaky " in line]
    pattern = r"(.) order.shipped .*attempt (\d)  (\d+) .* signature verified(, next attempt at \d\d:\d\d:\d\d.*)?"
    matches = [re.fullmatch(pattern, line) for line in flaky]
    attempts = [(match[1], match[2], match[3], bool(match[4])) for match in matches if match]
    assert attempts == [("↻", "1", "503", True), ("↻", "2", "503", True), ("✓", "3", "200", False)]


@pytest.mark.acceptance
def test_secrets_are_not_printed(hub: Hub, told: str) -> None:
    agreements = [read_agreement(hub.state, name) for name in EndpointName]
    secrets = {agreement.signing_secret for agreement in agreements} | {API_KEY, ADMINISTRATOR.password}
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.acceptance
def test_a_receiver_that_does_not_find_them_genuine_fails_the_demo_and_is_quoted(prepared_hub: Hub) -> None:
    # The hub now signs with secrets that the receiver does not have.
    with temporary_state() as other_state:
        other_state.make()
        assert prepared_hub.demo("prepare", WEBHOOKHUB_STATE=str(other_state.path)).returncode == 0
        done = prepared_hub.demo("emit", "--deadline", "4")

    assert done.returncode == 1
    assert "0 of 9 deliveries arrived and were verified" in done.stdout
    assert "401 not accepted as genuine: wrong signature in webhook-signature" in done.stdout


@pytest.mark.acceptance
def test_a_delivery_that_never_comes_about_fails_the_demo_and_says_where_to_look(prepared_hub: Hub) -> None:
    prepared_hub.run_sql(
        "UPDATE webhookhub_subscription SET event_types = '{nothing}' WHERE description = 'Demo: orders'"
    )

    done = prepared_hub.demo("emit", "--deadline", "8")

    assert done.returncode == 1
    assert "6 of 9 deliveries arrived and were verified" in done.stdout
    assert "it was not fanned out; is the worker for fan-out running?" in done.stdout


@pytest.mark.acceptance
def test_without_the_account_the_demo_says_what_makes_it(hub: Hub) -> None:
    hub.run_sql("UPDATE webhookhub_account SET name = 'renamed'")
    try:
        done = hub.demo("emit")
    finally:
        hub.run_sql("UPDATE webhookhub_account SET name = 'Demo shop'")

    assert done.returncode == 1
    assert "python -m scripts.local.demo prepare" in done.stderr


@pytest.mark.acceptance
def test_a_missing_variable_is_named(hub: Hub) -> None:
    done = hub.demo("prepare", WEBHOOKHUB_DEMO_RECEIVER_URL="")

    assert done.returncode == 1
    assert "WEBHOOKHUB_DEMO_RECEIVER_URL is not set" in done.stderr
