"""When does a receiver ask to be called again? Its Retry-After header (RFC 9110, section 10.2.3), read as a value."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.utils.http import parse_http_date

RetryAfter = timedelta | datetime
"""A length counted from the answer, or a moment (UTC)."""

_SECONDS = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
# More digits than these mean "never" and would overflow a timestamp; a profile's cap is always shorter.
_MAX_DIGITS = 9
_LONGEST = timedelta(seconds=10**_MAX_DIGITS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_retry_after(value: str) -> RetryAfter | None:
    """Read seconds (ASCII digits; decimals, which the RFC lacks, are rounded up) or any of the three HTTP-dates.

    None means that it is neither, and that the header counts as absent.
    """
    text = value.strip(" \t")
    if (match := _SECONDS.fullmatch(text)) is not None:
        whole, fraction = match.groups(default="")
        return _seconds(whole.lstrip("0"), rounded_up=fraction.strip("0") != "")
    try:
        # The two-digit years of RFC 850 are placed within 50 years of today, as RFC 9110 wants.
        return _EPOCH + timedelta(seconds=parse_http_date(text))
    except ValueError:
        return None


def _seconds(digits: str, *, rounded_up: bool) -> timedelta:
    if len(digits) > _MAX_DIGITS:
        return _LONGEST
    return timedelta(seconds=int(digits or "0") + rounded_up)
