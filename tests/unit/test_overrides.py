"""What one webhook does otherwise than its delivery profile says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.builtin_profiles import BUILT_IN_PROFILES, STANDARD
from subscriptions.errors import OverridesError
from subscriptions.models import Profile
from subscriptions.overrides import apply_overrides, expires_after_seconds
from subscriptions.profiles import DeliveryProfile
from subscriptions.statuses import RetryRule


def row(profile: DeliveryProfile = STANDARD) -> Profile:
    """The profile as it is stored."""
    columns = {one.name: getattr(profile, one.name) for one in Profile._meta.get_fields() if hasattr(profile, one.name)}
    texts = {name: str(columns[name]) for name in ("success_statuses", "retry_on")}
    empty = {name: columns[name] or "" for name in ("user_agent", "request_id_parameter")}
    return Profile(**columns | texts | empty | {"intervals_seconds": list(profile.intervals_seconds)})


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_without_overrides_a_webhook_does_what_its_profile_says(profile: DeliveryProfile) -> None:
    assert apply_overrides(row(profile), {}) == profile


def test_overrides_take_the_place_of_the_profile_s_values_and_leave_the_others() -> None:
    changed = apply_overrides(row(), {"timeout_seconds": 3, "retry_on": "no_answer,503", "max_attempts": None})
    assert (changed.timeout_seconds, changed.retry_on) == (3, RetryRule.parse("no_answer,503"))
    assert (changed.intervals_seconds, changed.name) == (STANDARD.intervals_seconds, STANDARD.name)


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"timeout_seconds": 61}, "timeout_seconds"),
        ({"timeout_seconds": "5"}, "timeout_seconds"),
        ({"timeout_seconds": True}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"timeout_seconds": None}, "timeout_seconds"),
        ({"success_statuses": "x"}, "success_statuses"),
        ({"retry_on": None}, "retry_on"),
        ({"stop_on_gone": 1}, "stop_on_gone"),
        ({"intervals_seconds": 5}, "intervals_seconds"),
        ({"intervals_seconds": [True]}, "intervals_seconds"),
        ({"max_attempts": 2.5}, "max_attempts"),
        ({"body_form": "xml"}, "body_form"),
        ({"body_form": None}, "body_form"),
        ({"name": "mine"}, "name"),
    ],
)
def test_a_value_that_no_profile_could_have_is_named(overrides: dict[str, Any], field: str) -> None:
    with pytest.raises(OverridesError) as error:
        apply_overrides(row(), overrides)
    assert error.value.field == f"overrides.{field}"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([one.name for one in Profile._meta.get_fields()][:18]), anything, max_size=3)
    | anything
)
def test_whatever_was_stored_as_overrides_it_makes_a_profile_or_is_refused_by_name(overrides: Any) -> None:
    refused = ""
    try:
        profile = apply_overrides(row(), overrides)
    except OverridesError as error:
        refused = error.field
    if refused:
        assert refused.startswith("overrides")
        assert expires_after_seconds(overrides, 5) >= 1
    else:
        assert expires_after_seconds(overrides, STANDARD.expires_after_seconds) == profile.expires_after_seconds
