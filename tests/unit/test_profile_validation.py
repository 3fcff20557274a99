"""Which profiles there are, what an administrator may not write into one, and what is told instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from subscriptions.builtin_profiles import BUILT_IN_PROFILES, DEFAULT_PROFILE, INTEGRATION, STANDARD
from subscriptions.profiles import InvalidProfileError


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": ""}, "name", "lower-case letters"),
        ({"name": "My profile"}, "name", "lower-case letters"),
        ({"timeout_seconds": 0}, "timeout_seconds", "from 0.1 to 60"),
        ({"timeout_seconds": 61}, "timeout_seconds", "from 0.1 to 60"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds", "from 0.1 to 60"),
        ({"expires_after_seconds": 0}, "expires_after_seconds", "out of bounds"),
        ({"expires_after_seconds": float("inf")}, "expires_after_seconds", "out of bounds"),
        ({"jitter_ratio": -0.1}, "jitter_ratio", "from 0 to 0.5"),
        ({"jitter_ratio": 10}, "jitter_ratio", "from 0 to 0.5"),
        ({"retry_after_cap_seconds": -1}, "retry_after_cap_seconds", "out of bounds"),
        ({"max_attempts": 0}, "max_attempts", "from 1"),
        ({"backoff_factor": 0.5}, "backoff_factor", "from 1 to 10"),
        ({"intervals_seconds": (5, -1)}, "intervals_seconds", "a wait of -1"),
        ({"intervals_seconds": (float("inf"),)}, "intervals_seconds", "a wait of inf"),
        ({"max_interval_seconds": 0, "intervals_seconds": (1,)}, "max_interval_seconds", "out of bounds"),
        ({"max_interval_seconds": 60, "intervals_seconds": ()}, "intervals_seconds", "nothing to grow from"),
        ({"max_interval_seconds": 60, "intervals_seconds": (5, 0)}, "intervals_seconds", "nothing to grow from"),
        (
            {"max_interval_seconds": 60, "intervals_seconds": (61, 5)},
            "max_interval_seconds",
            "shorter than a wait of 61",
        ),
        ({"user_agent": ""}, "user_agent", "visible ASCII"),
        ({"user_agent": "a\r\nX-Evil: 1"}, "user_agent", "visible ASCII"),
        ({"user_agent": "a" * 201}, "user_agent", "1 to 200"),
        ({"user_agent": "agent\n"}, "user_agent", "visible ASCII"),
        ({"request_id_parameter": ""}, "request_id_parameter", "such as requestId"),
        ({"request_id_parameter": "a&b"}, "request_id_parameter", "such as requestId"),
        ({"success_statuses": replace(STANDARD.success_statuses, codes=frozenset())}, "success_statuses", "is empty"),
        (
            {"retry_on": replace(INTEGRATION.retry_on, statuses=STANDARD.success_statuses)},
            "retry_on",
            "2xx counts as success",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field_with_what_is_right(
    changes: dict[str, Any], field: str, told: str
) -> None:
    with pytest.raises(InvalidProfileError) as refused:
        replace(STANDARD, **changes)
    assert [problem.field for problem in refused.value.problems if told in problem.message] == [field]
    assert f"{field}: " in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidProfileError) as refused:
        replace(STANDARD, name="?", timeout_seconds=0, jitter_ratio=2)
    assert [problem.field for problem in refused.value.problems] == ["timeout_seconds", "jitter_ratio", "name"]


def test_there_are_six_profiles_and_the_first_is_the_default() -> None:
    names = [profile.name for profile in BUILT_IN_PROFILES]
    assert names == ["standard", "short", "transaction", "integration", "entity-change", "crm"]
    assert DEFAULT_PROFILE is STANDARD
