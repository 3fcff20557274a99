"""The README's table of delivery profiles says what the profiles do."""

from __future__ import annotations

import pytest

from subscriptions.builtin_profiles import BUILT_IN_PROFILES
from subscriptions.profiles import BodyForm, DeliveryProfile
from tests.repo.documents import README, read_table_rows

UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
BODIES = {
    BodyForm.ENVELOPE: "`{id, type, createdAt, data}`",
    BodyForm.NOTIFICATION: "`{events: [{meta, action, accountId}]}`",
    BodyForm.DATA: "the data",
}


def describe(seconds: float) -> str:
    """90 is `1 min 30 s`, 172,800 is `2 days`, and 24 hours stay hours."""
    if seconds < 1 or seconds != int(seconds):
        return f"{seconds:g} s" if seconds else "at once"
    parts = []
    for length, unit in UNITS:
        if unit == "days" and seconds < 2 * length:
            continue
        count, seconds = divmod(int(seconds), length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def describe_waits(profile: DeliveryProfile) -> str:
    parts = [describe(seconds) for seconds in profile.intervals_seconds]
    if profile.max_interval_seconds is not None:
        assert profile.backoff_factor == 2
        parts.append(f"doubling up to {describe(profile.max_interval_seconds)}")
    if profile.max_attempts is not None:
        parts.append(f"{profile.max_attempts} attempts in all")
    return ", ".join(parts)


def expected_row(profile: DeliveryProfile) -> list[str]:
    rule = profile.retry_on
    return [
        f"`{profile.name}`",
        describe(profile.timeout_seconds),
        str(profile.success_statuses).replace(",", ", "),
        "any failure" if rule.statuses is None else "no answer, " + str(rule.statuses).replace(",", ", "),
        describe_waits(profile),
        describe(profile.expires_after_seconds),
        BODIES[profile.body_form],
    ]


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_the_table_has_the_profile_as_it_is(profile: DeliveryProfile) -> None:
    row = expected_row(profile)
    assert row in read_table_rows(README), f"it should be: | {' | '.join(row)} |"


def test_the_text_below_the_table_is_true() -> None:
    by_name = {profile.name: profile for profile in BUILT_IN_PROFILES}
    jitters = {profile.jitter_ratio for profile in BUILT_IN_PROFILES}
    assert jitters == {0, 0.1}
    assert {name for name, profile in by_name.items() if profile.stop_on_gone} == {"standard", "short", "integration"}
    hearing = {name: profile.retry_after_cap_seconds for name, profile in by_name.items()}
    assert hearing.pop("entity-change") == 0
    assert all(cap == by_name[name].longest_interval_seconds for name, cap in hearing.items())
    assert {
        name: profile.request_id_parameter for name, profile in by_name.items() if profile.request_id_parameter
    } == {"entity-change": "requestId"}
