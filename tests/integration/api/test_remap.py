"""Webhooks by the interface of 002_44c3dd7dc10608b6.txt: its field names, its links, its lists and its refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from subscriptions.models import Subscription
from subscriptions.rotation import reveal_secret
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from webhookhub.conf import hub_settings
from webhookhub.models import Account, ApiKey
from webhookhub.roles import Role

ROOT = "http://testserver/api/remap/1.2"
WEBHOOKS = "/api/remap/1.2/entity/webhook"
V1 = "/api/v1/webhooks"
URL = "http://www.example.com"
BODY = {"url": URL, "action": "CREATE", "entityType": "service"}

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make(api: Client) -> Make:
    """Makes a webhook: `make(entityType="product")`. Returns what the interface says of it."""

    def post(**fields: Any) -> dict[str, Any]:
        answer = api.post(WEBHOOKS, BODY | fields)
        assert answer.status_code == 200, answer.content
        made: dict[str, Any] = answer.json()
        return made

    return post


def path(webhook: dict[str, Any]) -> str:
    return f"{WEBHOOKS}/{webhook['id']}"


def v1_path(webhook: dict[str, Any]) -> str:
    return f"{V1}/sub_{webhook['id'].replace('-', '')}"


def ids_of(answer: Any) -> list[str]:
    return [row["id"] for row in answer.json()["rows"]]


# ------------------------------------------------------------------------------------------------ one webhook


def test_the_reply_has_the_documents_fields_with_bare_uuids_and_absolute_links(make: Make, account: Account) -> None:
    made = make()
    identifier = made["id"]
    assert str(UUID(identifier)) == identifier
    assert made == {
        "meta": {
            "href": f"{ROOT}/entity/webhook/{identifier}",
            "metadataHref": f"{ROOT}/entity/webhook/metadata",
            "type": "webhook",
            "mediaType": "application/json",
        },
        "id": identifier,
        "accountId": str(account.id),
        "entityType": "service",
        "url": URL,
        "method": "POST",
        "enabled": True,
        "action": "CREATE",
    }


def test_links_name_the_host_and_the_scheme_by_which_the_caller_came(api: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["hub.example.com"]
    made = api.post(WEBHOOKS, BODY, headers={"host": "hub.example.com", "x-forwarded-proto": "https"}).json()
    assert made["meta"]["href"] == f"https://hub.example.com{WEBHOOKS}/{made['id']}"


def test_every_link_can_be_followed(api: Client, make: Make) -> None:
    make()
    listed = api.get(WEBHOOKS).json()
    (row,), employee = listed["rows"], listed["context"]["employee"]["meta"]
    links = [
        listed["meta"]["href"],
        *(meta[name] for meta in (row["meta"], employee) for name in ("href", "metadataHref")),
    ]
    for link in links:
        answer = api.get(link)
        assert answer.status_code == 200, link
        assert answer.json()["meta"]["href"] == link


def test_the_employee_is_the_key_that_asks(api_of: ApiOf, account: Account) -> None:
    shown = api_of(Role.READER).get("/api/remap/1.2/context/employee").json()
    key = ApiKey.objects.get()
    assert (shown["id"], shown["accountId"]) == (str(key.id), str(account.id))
    assert (shown["name"], shown["role"]) == ("a reader's", "reader")
    assert api_of(Role.OPERATOR).get("/api/remap/1.2/context/employee").json()["accountId"] is None


def test_put_changes_what_it_names_and_leaves_the_rest(api: Client, make: Make) -> None:
    made = make()
    for change in ({"action": "UPDATE"}, {"enabled": False}, {"entityType": "product"}, {"url": f"{URL}/hook"}, {}):
        made |= change
        answer = api.put(path(made), change)
        assert (answer.status_code, answer.json()) == (200, made)
        assert api.get(path(made)).json() == made


def test_a_webhook_may_be_put_back_as_it_was_read(api: Client, make: Make) -> None:
    made = make() | {"enabled": False}
    answer = api.put(path(made), made)
    assert (answer.status_code, answer.json()) == (200, made)


def test_a_webhook_can_be_made_disabled(make: Make) -> None:
    assert make(enabled=False)["enabled"] is False


def test_a_deleted_webhook_is_answered_with_nothing_and_gone(api: Client, make: Make) -> None:
    made = make()
    answer = api.delete(path(made))
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(path(made)).status_code == api.delete(path(made)).status_code == 404
    assert make()["id"] != made["id"]


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "CREATE", "entityType": "service"}, "url"),
        ({"url": URL, "entityType": "service"}, "action"),
        ({"url": URL, "action": "CREATE"}, "entityType"),
        (BODY | {"url": "ftp://example.com"}, "url"),
        (BODY | {"url": "http://169.254.169.254/"}, "url"),
        (BODY | {"url": None}, "url"),
        (BODY | {"action": "create"}, "action"),
        (BODY | {"action": "PROCESSED"}, "action"),
        (BODY | {"action": ["CREATE"]}, "action"),
        (BODY | {"entityType": ""}, "entityType"),
        (BODY | {"entityType": "two words"}, "entityType"),
        (BODY | {"entityType": 7}, "entityType"),
        (BODY | {"enabled": "false"}, "enabled"),
        (BODY | {"method": "GET"}, "method"),
        (BODY | {"events": ["order.*"]}, "events"),
    ],
)
def test_a_field_that_is_wrong_is_named(api: Client, body: dict[str, Any], field: str) -> None:
    answer = api.post(WEBHOOKS, body)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Subscription.objects.exists()


def test_put_refuses_the_same_and_changes_nothing(api: Client, make: Make) -> None:
    made = make()
    for change in ({"action": "update"}, {"url": "nowhere"}, {"enabled": None}, {"entityType": ""}):
        assert api.put(path(made), {"url": f"{URL}/other"} | change).status_code == 422
    assert api.get(path(made)).json() == made


def test_an_entity_type_and_an_action_stand_together_in_one_webhook_of_an_account(
    api: Client, make: Make, api_of: ApiOf, foreign_account: Account
) -> None:
    first, second = make(), make(action="UPDATE")
    for answer in (
        api.post(WEBHOOKS, BODY | {"url": "http://example.org"}),
        api.put(path(second), {"action": "CREATE"}),
        api.post(V1, {"url": URL, "entityType": "service", "action": "CREATE"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "pair_taken")
    assert api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, BODY).status_code == 200
    api.put(path(first), {"action": "DELETE"})
    assert api.put(path(second), {"action": "CREATE"}).status_code == 200


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.READER])
def test_only_administrators_have_webhooks_and_others_are_told_why_not(api_of: ApiOf, role: Role) -> None:
    client = api_of(role)
    for answer in (client.get(WEBHOOKS), client.post(WEBHOOKS, BODY), client.delete(f"{WEBHOOKS}/{uuid4()}")):
        assert (answer.status_code, answer.json()["code"]) == (403, "role_not_sufficient")
        assert role.value in answer.json()["detail"]


def test_a_plan_without_webhooks_has_none_here_either(account: Account, api: Client) -> None:
    Account.objects.filter(id=account.id).update(has_webhooks=False)
    for answer in (api.get(WEBHOOKS), api.post(WEBHOOKS, BODY), api.get(f"{WEBHOOKS}/metadata")):
        assert (answer.status_code, answer.json()["code"]) == (403, "plan_without_webhooks")


def test_a_foreign_webhook_an_unknown_one_and_what_is_no_id_are_not_found(
    api: Client, api_of: ApiOf, foreign_account: Account
) -> None:
    foreign = api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, BODY).json()
    for identifier in (foreign["id"], str(uuid4()), "a5b3cd1f", "%00", "x" * 300):
        for answer in (
            api.get(f"{WEBHOOKS}/{identifier}"),
            api.put(f"{WEBHOOKS}/{identifier}", {"enabled": False}),
            api.delete(f"{WEBHOOKS}/{identifier}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert answer.json()["detail"] == "There is no such webhook."
    assert ids_of(api.get(WEBHOOKS)) == []
    assert Subscription.objects.get().enabled


# ------------------------------------------------------------------------------------------------ both interfaces


def test_a_webhook_made_here_is_one_of_the_hubs_own_with_the_documents_profile(api: Client, make: Make) -> None:
    made = make()
    seen = api.get(v1_path(made)).json()
    assert (seen["url"], seen["entityType"], seen["action"]) == (URL, "service", "CREATE")
    assert (seen["profile"], seen["events"], seen["enabled"]) == ("entity-change", None, True)
    assert reveal_secret(Subscription.objects.get()).startswith("whsec_")
    api.patch(v1_path(made), {"enabled": False})
    assert api.get(path(made)).json() == made | {"enabled": False}
    api.delete(v1_path(made))
    assert api.get(path(made)).status_code == 404


def test_a_webhook_made_there_is_seen_here_if_it_has_an_entity_type_and_one_of_the_three_actions(api: Client) -> None:
    pair = {"entityType": "product", "action": "DELETE"}
    seen = api.post(V1, {"url": URL, **pair, "profile": "crm"}).json()
    without_form = [
        api.post(V1, {"url": URL} | fields).json()["id"]
        for fields in ({"events": ["order.*"]}, {"entityType": "product"}, {"entityType": "product", "action": "SHIP"})
    ]
    assert api.get(WEBHOOKS).json()["meta"]["size"] == 1
    (row,) = api.get(WEBHOOKS).json()["rows"]
    assert row.items() >= pair.items()
    assert row["id"].replace("-", "") == seen["id"].removeprefix("sub_")
    assert {api.get(f"{WEBHOOKS}/{identifier}").status_code for identifier in without_form} == {404}
    # What this interface does not speak of stays as it was.
    api.put(path(row), {"url": f"{URL}/hook"})
    assert api.get(v1_path(row)).json()["profile"] == "crm"


# ------------------------------------------------------------------------------------------------ the list


def test_a_list_tells_who_asked_how_many_there_are_and_which_these_are(api: Client, make: Make) -> None:
    made = make()
    assert api.get(WEBHOOKS).json() == {
        "context": {
            "employee": {
                "meta": {
                    "href": f"{ROOT}/context/employee",
                    "metadataHref": f"{ROOT}/entity/employee/metadata",
                    "type": "employee",
                    "mediaType": "application/json",
                }
            }
        },
        "meta": {
            "href": f"{ROOT}/entity/webhook",
            "type": "webhook",
            "mediaType": "application/json",
            "size": 1,
            "limit": 25,
            "offset": 0,
        },
        "rows": [made],
    }


def test_a_list_is_cut_by_limit_and_offset_with_the_oldest_first(api: Client, make: Make) -> None:
    made = [make(entityType=f"entity-{number}")["id"] for number in range(28)]
    assert ids_of(api.get(WEBHOOKS)) == made[:25]
    part = api.get(WEBHOOKS, {"limit": 2, "offset": 26})
    assert ids_of(part) == made[26:]
    assert part.json()["meta"].items() >= {"size": 28, "limit": 2, "offset": 26}.items()
    assert ids_of(api.get(WEBHOOKS, {"limit": 1000})) == made
    assert ids_of(api.get(WEBHOOKS, {"offset": 1_000_000})) == []


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("0", "1001", "-1", "ten", "", "1e3", "9" * 400, "\x00", "٣")),
        *({"offset": offset} for offset in ("-1", "1000001", "two", "9" * 400)),
    ],
)
def test_a_limit_or_offset_out_of_bounds_is_named(api: Client, query: dict[str, str]) -> None:
    answer = api.get(WEBHOOKS, query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, *query)


def test_an_operator_sees_all_accounts_or_the_one_it_names(
    operator: Client, api: Client, api_of: ApiOf, account: Account, foreign_account: Account
) -> None:
    own = api.post(WEBHOOKS, BODY).json()
    foreign = api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, BODY).json()
    assert ids_of(operator.get(WEBHOOKS)) == [own["id"], foreign["id"]]
    assert ids_of(operator.get(WEBHOOKS, {"account": account.shown_id})) == [own["id"]]
    made = operator.post(f"{WEBHOOKS}?account={account.shown_id}", BODY | {"action": "DELETE"})
    assert made.json()["accountId"] == str(account.id)
    assert operator.post(WEBHOOKS, BODY | {"action": "UPDATE"}).status_code == 422


def test_a_request_costs_at_most_six_queries_however_many_webhooks_there_are(api: Client, make: Make) -> None:
    made = [make(entityType=f"entity-{number}") for number in range(26)]
    for call in (
        lambda: api.get(WEBHOOKS, {"limit": 1000}),
        lambda: api.post(WEBHOOKS, BODY),
        lambda: api.get(path(made[0])),
        lambda: api.put(path(made[0]), {"action": "UPDATE"}),
        lambda: api.delete(path(made[0])),
        lambda: api.get("/api/remap/1.2/context/employee"),
    ):
        make_keys_unused()
        with CaptureQueriesContext(connection) as captured:
            assert call().status_code == 200
        queries = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
        assert len(queries) <= 6, queries


def test_an_address_that_the_hub_does_not_send_to_is_refused_when_it_is_given(api: Client, settings: Settings) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"https_only": True})
    answer = api.post(WEBHOOKS, BODY)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")
