"""Accounts over the API: made, shown, changed and removed by operators; looked at by their own keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from deliveries.deliver import deliver
from deliveries.fan_out import fan_out
from deliveries.hold import release
from deliveries.models import Job, JobKind, Status
from deliveries.wire import Wire
from subscriptions.models import Secret, Subscription
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused, with_key
from tests.integration.conftest import Listen
from tests.integration.receiver import Receiver
from tests.integration.rows import change, make_pending, read_delivery
from webhookhub import ids
from webhookhub.accounts import change_account, delete_account
from webhookhub.api import keys
from webhookhub.api_keys import create_api_key
from webhookhub.callers import find_caller
from webhookhub.events import emit
from webhookhub.models import Account, ApiKey, Event, IdempotencyKey
from webhookhub.roles import Role

ACCOUNTS = "/api/v1/accounts"


def path_of(account: Account | str) -> str:
    return f"{ACCOUNTS}/{account if isinstance(account, str) else account.shown_id}"


def make(operator: Client, **fields: Any) -> dict[str, Any]:
    response = operator.post(ACCOUNTS, {"name": "Carol's shop"} | fields)
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def test_an_account_is_created_with_defaults_and_reads_back_the_same(operator: Client) -> None:
    made = make(operator)
    assert made | {"id": "", "createdAt": ""} == {
        "id": "",
        "uid": None,
        "name": "Carol's shop",
        "contactEmail": None,
        "hasWebhooks": True,
        "validatesEvents": False,
        "metadata": {},
        "createdAt": "",
    }
    assert operator.get(path_of(made["id"])).json() == made


def test_every_field_of_an_account_is_kept(operator: Client) -> None:
    fields = {
        "name": "Käthe & Söhne 🛒",
        "uid": "customer:42~",
        "contactEmail": "carol@example.com",
        "hasWebhooks": False,
        "validatesEvents": True,
        "metadata": {"plan": {"seats": 3, "since": None}, "tags": ["a", 1.5]},
    }
    made = make(operator, **fields)
    assert {name: made[name] for name in fields} == fields
    assert operator.get(path_of(made["id"])).json() == made


def test_an_account_that_was_deleted_is_not_found(operator: Client) -> None:
    made = make(operator, uid="c-1")
    assert operator.delete(path_of(made["id"])).status_code == 204
    for named in (made["id"], "c-1"):
        for response in (operator.get(path_of(named)), operator.delete(path_of(named))):
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "uid", ["customer-42", "0192f0c1-d5a3-7abc-8123-456789abcdef", "a.b:c@d,e=f", "x" * 256, "%2e%2e"]
)
def test_an_own_id_is_accepted_wherever_our_id_is(operator: Client, uid: str) -> None:
    made = make(operator, uid=uid)
    path = path_of(uid.replace("%", "%25"))
    assert operator.get(path).json() == made
    assert operator.patch(path, {"name": "Carl's shop"}).json()["id"] == made["id"]
    assert operator.get("/api/v1/keys", {"account": uid}).json()["items"] == []
    assert operator.delete(path).status_code == 204
    assert operator.get(path).status_code == 404


@pytest.mark.parametrize("uid", ["", "a b", "a/b", "ü", "\n", "acc_customer", ".", "..", "x" * 257, 42, ["a"]])
def test_what_could_not_stand_in_a_path_or_looks_like_our_id_is_no_own_id(operator: Client, uid: Any) -> None:
    response = operator.post(ACCOUNTS, {"name": "Carol's shop", "uid": uid})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "uid")
    assert not Account.objects.filter(name="Carol's shop").exists()


def test_an_own_id_that_is_taken_is_a_conflict_on_create_and_on_update(operator: Client) -> None:
    make(operator, uid="c-1")
    other = make(operator, uid="c-2")
    for response in (
        operator.post(ACCOUNTS, {"name": "Dave", "uid": "c-1"}),
        operator.put(path_of(other["id"]), {"name": "Dave", "uid": "c-1"}),
        operator.patch(path_of("c-2"), {"uid": "c-1"}),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "uid_taken")
        assert response.json()["errors"][0]["field"] == "uid"
    assert operator.get(path_of(other["id"])).json() == other


def test_an_own_id_can_be_set_again_changed_and_removed_and_the_old_one_is_then_not_found(operator: Client) -> None:
    path = path_of(make(operator, uid="c-1")["id"])
    assert operator.put(path, {"name": "Carol", "uid": "c-1"}).json()["uid"] == "c-1"
    assert operator.patch(path, {"uid": "c-1"}).json()["uid"] == "c-1"
    assert operator.patch(path, {"uid": "c-2"}).json()["uid"] == "c-2"
    assert [operator.get(path_of(uid)).status_code for uid in ("c-1", "c-2")] == [404, 200]
    assert operator.patch(path, {"uid": None}).json()["uid"] is None
    assert operator.get(path_of("c-2")).status_code == 404


def test_an_own_id_is_free_again_after_its_account_was_deleted(operator: Client) -> None:
    first = make(operator, uid="c-1")
    operator.delete(path_of("c-1"))
    assert make(operator, uid="c-1")["id"] != first["id"]


def test_several_accounts_may_have_no_own_id(operator: Client) -> None:
    assert make(operator)["id"] != make(operator, uid=None)["id"]


FULL = {
    "name": "Carol's shop",
    "uid": "c-1",
    "contactEmail": "carol@example.com",
    "hasWebhooks": False,
    "validatesEvents": True,
    "metadata": {"a": 1, "b": 2},
}


@pytest.mark.parametrize(
    ("field", "given", "shown"),
    [
        ("name", "Dave's shop", "Dave's shop"),
        ("uid", "c-2", "c-2"),
        ("uid", None, None),
        ("contactEmail", "dave@example.com", "dave@example.com"),
        ("contactEmail", None, None),
        ("hasWebhooks", True, True),
        ("validatesEvents", False, False),
        ("metadata", {"c": 3}, {"c": 3}),
        ("metadata", {}, {}),
    ],
)
def test_patch_changes_only_the_named_field(operator: Client, field: str, given: Any, shown: Any) -> None:
    made = make(operator, **FULL)
    changed = operator.patch(path_of(made["id"]), {field: given}).json()
    assert changed == made | {field: shown}
    assert operator.get(path_of(made["id"])).json() == changed


def test_patch_of_nothing_changes_nothing(operator: Client) -> None:
    made = make(operator, **FULL)
    assert operator.patch(path_of(made["id"]), {}).json() == made


def test_put_replaces_and_gives_the_defaults_to_what_is_left_out(operator: Client) -> None:
    made = make(operator, **FULL)
    replaced = operator.put(path_of(made["id"]), {"name": "Dave's shop"}).json()
    defaults = {"uid": None, "contactEmail": None, "hasWebhooks": True, "validatesEvents": False, "metadata": {}}
    assert replaced == made | defaults | {"name": "Dave's shop"}


def test_put_by_an_own_id_keeps_it_unless_another_is_given(operator: Client) -> None:
    make(operator, name="Alice's shop", uid="alice")
    assert operator.put(path_of("alice"), {"name": "Alice"}).json()["uid"] == "alice"
    assert operator.put(path_of("alice"), {"name": "Alice", "uid": "al"}).json()["uid"] == "al"
    assert operator.put(path_of("al"), {"name": "Alice", "uid": None}).json()["uid"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", 5),
        ("name", "x" * 201),
        ("contactEmail", "not an address"),
        ("contactEmail", 5),
        ("hasWebhooks", 1),
        ("hasWebhooks", None),
        ("validatesEvents", "true"),
        ("metadata", None),
        ("metadata", [1]),
        ("metadata", {"a": "x" * 4096}),
        ("nickname", "x"),
        ("id", "acc_0192f0c1d5a37abc8123456789abcdef"),
    ],
)
def test_a_wrong_field_is_named(operator: Client, field: str, value: Any) -> None:
    made = make(operator)
    for response in (
        operator.post(ACCOUNTS, {"name": "Dave", field: value}),
        operator.put(path_of(made["id"]), {"name": "Dave", field: value}),
        operator.patch(path_of(made["id"]), {field: value}),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "invalid")
        assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_name_is_needed(operator: Client) -> None:
    assert operator.post(ACCOUNTS, {}).json()["errors"] == [{"field": "name", "message": "This field is required."}]


def test_numbers_in_metadata_may_be_as_large_as_json_s(operator: Client) -> None:
    metadata = {"n": 10**300, "m": -(2**64), "x": 1.5}
    made = make(operator, metadata=metadata)
    assert made["metadata"] == metadata
    assert operator.get(path_of(made["id"])).json()["metadata"] == metadata


def test_create_with_get_if_exists_returns_the_existing_account_unchanged(operator: Client) -> None:
    made = make(operator, uid="c-1")
    again = operator.post(f"{ACCOUNTS}?ifExists=get", {"name": "Another name", "uid": "c-1", "metadata": {"x": 1}})
    assert (again.status_code, again.json()) == (200, made)
    assert operator.get(path_of("c-1")).json() == made


def test_create_with_get_if_exists_makes_what_does_not_exist(operator: Client) -> None:
    response = operator.post(f"{ACCOUNTS}?ifExists=get", {"name": "Carol", "uid": "c-1"})
    assert response.status_code == 201
    nameless = [operator.post(f"{ACCOUNTS}?ifExists=get", {"name": "Carol"}) for _ in range(2)]
    assert [response.status_code for response in nameless] == [201, 201]


def test_another_value_of_if_exists_is_refused(operator: Client) -> None:
    response = operator.post(f"{ACCOUNTS}?ifExists=replace", {"name": "Carol"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "ifExists")


def test_the_list_is_filtered_by_own_id(operator: Client, account: Account) -> None:
    made = make(operator, uid="c-1")
    everybody = operator.get(ACCOUNTS).json()["items"]
    assert [item["id"] for item in everybody] == [made["id"], account.shown_id]
    assert operator.get(ACCOUNTS, {"uid": "c-1"}).json()["items"] == [made]
    for nobody in ("c-2", "", "\x00"):
        assert operator.get(ACCOUNTS, {"uid": nobody}).json()["items"] == []


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.READER])
def test_a_key_that_may_read_sees_its_own_account_and_no_other(
    api_of: ApiOf, account: Account, foreign_account: Account, role: Role
) -> None:
    Account.objects.filter(id=foreign_account.id).update(uid="bob")
    api = api_of(role)
    assert api.get(path_of(account)).json()["name"] == account.name
    for named in (foreign_account, "bob", ids.show("account", ids.new_id()), "nobody"):
        assert api.get(path_of(named)).status_code == 404


def test_whether_the_plan_has_webhooks_counts_at_once_for_keys_in_use(
    operator: Client, account: Account, api_of: ApiOf
) -> None:
    key = create_api_key(account, "a key")
    first = find_caller(key)
    operator.patch(path_of(account), {"hasWebhooks": False})
    second = find_caller(key)
    assert first is not None
    assert second is not None
    assert (first.has_webhooks, second.has_webhooks) == (True, False)


# ------------------------------------------------------------------------------------------------ deleting


def fill(account: Account, subscribed: Callable[..., Subscription]) -> None:
    """One row of everything that an account can own."""
    subscription = subscribed()
    emit("order.shipped", {}, account=account)
    create_api_key(account, "a key")
    Job.objects.create(account=account, kind=JobKind.RETRY)
    IdempotencyKey.objects.create(account_id=account.id, key="k", fingerprint=b"", event_ids=[])
    assert subscription.secrets.count() == 1


def test_deleting_an_account_removes_what_it_owns_and_nothing_else(
    operator: Client, account: Account, foreign_account: Account, subscribed: Callable[..., Subscription]
) -> None:
    fill(account, subscribed)
    fill(foreign_account, lambda: subscribe(foreign_account, "http://127.0.0.1:9/"))
    assert operator.delete(path_of(account)).status_code == 204
    bob = {"account_id": foreign_account.id}
    assert [row.id for row in Account.objects.all()] == [foreign_account.id]
    assert Subscription.objects.count() == Subscription.objects.filter(**bob).count() == 1
    assert Secret.objects.count() == Secret.objects.filter(subscription__account=foreign_account).count() == 1
    assert Job.objects.count() == Job.objects.filter(**bob).count() == 1
    assert IdempotencyKey.objects.count() == IdempotencyKey.objects.filter(**bob).count() == 1
    assert ApiKey.objects.exclude(role=Role.OPERATOR).count() == ApiKey.objects.filter(**bob).count() == 1


def test_what_a_deleted_account_recorded_is_found_under_no_account(
    operator: Client, account: Account, foreign_account: Account, api_of: ApiOf, subscription: Subscription
) -> None:
    (delivery_id,) = make_pending(subscription)
    event_id = Event.objects.get().id
    assert operator.delete(path_of(account)).status_code == 204
    paths = ["events", f"events/{ids.show('event', event_id)}", f"deliveries/{ids.show('delivery', delivery_id)}"]
    for path in paths:
        assert operator.get(f"/api/v1/{path}", {"account": account.shown_id}).status_code == 404
        assert operator.get(f"/api/v1/{path}", {"account": foreign_account.shown_id}).status_code == (
            200 if path == "events" else 404
        )
    foreigner = api_of(Role.ADMINISTRATOR, foreign_account)
    assert [foreigner.get(f"/api/v1/{path}").status_code for path in paths] == [200, 404, 404]
    assert foreigner.get("/api/v1/events").json()["items"] == []


def test_the_keys_of_a_deleted_account_open_nothing(operator: Client, account: Account) -> None:
    client = with_key(create_api_key(account, "a key"))
    assert client.get(path_of(account)).status_code == 200
    operator.delete(path_of(account))
    assert client.get(path_of(account)).status_code == 401


def test_publishing_for_a_deleted_account_is_not_found(operator: Client, account: Account) -> None:
    operator.delete(path_of(account))
    response = operator.post(f"/api/v1/events/batch?account={account.shown_id}", {"events": [{"type": "a", "data": 1}]})
    assert response.status_code == 404
    assert not Event.objects.exists()


def test_what_is_given_to_an_account_while_it_is_deleted_is_a_conflict_and_leaves_nothing(
    account: Account, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = keys.generate_api_key

    def delete_first() -> str:
        delete_account(account)
        return generate()

    monkeypatch.setattr(keys, "generate_api_key", delete_first)
    response = operator.post(f"/api/v1/keys?account={account.shown_id}", {"name": "late", "role": "reader"})
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert not ApiKey.objects.filter(name="late").exists()


def test_an_account_that_somebody_else_deleted_first_is_not_found(account: Account) -> None:
    again = Account.objects.get()
    delete_account(account)
    for change_it in (delete_account, lambda row: change_account(row, {"name": "Carol"})):
        with pytest.raises(Account.DoesNotExist):
            change_it(again)


def test_an_event_that_waits_for_fan_out_when_its_account_is_deleted_goes_nowhere(
    account: Account, subscription: Subscription
) -> None:
    first, second = (emit("order.shipped", {"n": n}, account=account) for n in range(2))
    Event.objects.filter(id=second).update(wake_at=None)
    assert fan_out([first]).deliveries == 1
    Event.objects.filter(id=second).update(wake_at=timezone.now())
    delete_account(account)
    assert fan_out([second]).deliveries == 0
    assert not Event.objects.filter(wake_at__isnull=False).exists()


def test_a_delivery_that_is_outstanding_when_its_account_is_deleted_is_cancelled_and_never_sent(
    account: Account, subscription: Subscription, wire: Wire, receiver: Receiver
) -> None:
    (delivery_id,) = make_pending(subscription)
    delete_account(account)
    deliver([delivery_id])
    delivery = read_delivery(delivery_id)
    assert (delivery.status, delivery.failure_reason, delivery.wake_at) == (
        Status.CANCELLED,
        "subscription deleted",
        None,
    )
    assert not receiver.has_request.is_set()


def test_a_delivery_that_is_held_when_its_account_is_deleted_is_cancelled_when_it_is_looked_at_again(
    account: Account, subscription: Subscription, wire: Wire, receiver: Receiver, listen: Listen
) -> None:
    (delivery_id,) = make_pending(subscription)
    change([delivery_id], status=Status.HELD)
    subscription_id = subscription.id
    delete_account(account)
    release(subscription_id)
    deliver([delivery_id])
    assert read_delivery(delivery_id).status == Status.CANCELLED
    assert not receiver.has_request.is_set()


@pytest.mark.parametrize("rows", [1, 20])
def test_no_route_of_accounts_takes_more_queries_for_more_rows(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for number in range(rows):
        make(operator, uid=f"c-{number}")
    calls: list[Callable[[], Any]] = [
        lambda: operator.get(ACCOUNTS),
        lambda: operator.get(path_of("c-0")),
        lambda: operator.post(ACCOUNTS, {"name": "Dave"}),
        lambda: operator.post(f"{ACCOUNTS}?ifExists=get", {"name": "Dave", "uid": "dave"}),
        lambda: operator.put(path_of("c-0"), {"name": "Dave", "uid": "c-0"}),
        lambda: operator.patch(path_of("c-0"), {"name": "Dave"}),
    ]
    for call in calls:
        make_keys_unused()
        with django_assert_max_num_queries(6):
            assert call().status_code < 300


def test_deleting_an_account_takes_as_many_queries_however_much_it_owns(operator: Client) -> None:
    counts = []
    for rows in (1, 20):
        account = Account.objects.create(name=f"with {rows}")
        for _ in range(rows):
            subscribe(account, "http://127.0.0.1:9/")
            create_api_key(account, "a key")
        make_keys_unused()
        with CaptureQueriesContext(connection) as queries:
            assert operator.delete(path_of(account)).status_code == 204
        counts.append(len(queries))
    assert counts[0] == counts[1]
