"""How retries are grouped into messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.record import NearRetry
from deliveries.recorder import COUNTDOWN_STEP_SECONDS, group_retries
from webhookhub.ids import new_id


@pytest.mark.parametrize(
    ("waits", "countdowns"),
    [
        ([], {}),
        ([0, 0], {0: 2}),
        ([0.01, 0.25], {0.25: 2}),
        ([0.2500001], {0.5: 1}),
        ([4.51, 5.0, 4.76], {4.75: 1, 5.0: 2}),
    ],
)
def test_retries_of_the_same_quarter_of_a_second_share_a_countdown(
    waits: list[float], countdowns: dict[float, int]
) -> None:
    groups = group_retries(NearRetry(delivery_id=new_id(), countdown_seconds=wait) for wait in waits)
    assert {countdown: len(group) for countdown, group in groups.items()} == countdowns


@given(st.lists(st.floats(min_value=0, max_value=60)))
def test_no_retry_is_rung_early_or_more_than_a_step_late_and_none_is_lost(waits: list[float]) -> None:
    retries = [NearRetry(delivery_id=new_id(), countdown_seconds=wait) for wait in waits]
    groups = group_retries(retries)
    assert sorted(retry for group in groups.values() for retry in group) == sorted(retries)
    for countdown, group in groups.items():
        for retry in group:
            assert 0 <= countdown - retry.countdown_seconds <= COUNTDOWN_STEP_SECONDS
