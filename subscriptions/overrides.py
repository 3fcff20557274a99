"""What does one webhook do otherwise than its delivery profile says?

Overrides are stored by the names and in the forms that a profile's row has: `{"timeout_seconds": 5, "retry_on": "any"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from subscriptions.errors import OverridesError
from subscriptions.models import Profile
from subscriptions.profiles import LONGEST_SECONDS, BodyForm, DeliveryProfile, InvalidProfileError
from subscriptions.statuses import RetryRule, StatusSet, StatusTextError

_NUMBER = (int, float)
_NONE = type(None)
# The fields of a profile that can be overridden, and the types of their values. A flag is no number.
_TYPES: dict[str, tuple[type, ...]] = {
    "timeout_seconds": _NUMBER,
    "success_statuses": (str,),
    "retry_on": (str,),
    "stop_on_gone": (bool,),
    "intervals_seconds": (list,),
    "max_interval_seconds": (*_NUMBER, _NONE),
    "backoff_factor": _NUMBER,
    "max_attempts": (int, _NONE),
    "expires_after_seconds": _NUMBER,
    "jitter_ratio": _NUMBER,
    "retry_after_cap_seconds": _NUMBER,
    "body_form": (str,),
    "user_agent": (str,),
    "request_id_parameter": (str,),
}
_PARSERS: dict[str, Callable[[str], object]] = {"success_statuses": StatusSet.parse, "retry_on": RetryRule.parse}
# More waits than that are no schedule that anybody wrote.
MOST_INTERVALS = 100


def apply_overrides(profile: Profile, overrides: Mapping[str, Any]) -> DeliveryProfile:
    """The rules of a webhook that follows `profile` but for its overrides.

    Raises OverridesError, which names the field (`overrides.timeout_seconds`), and without overrides what
    `Profile.to_value` raises.
    """
    if not overrides:
        return profile.to_value()
    if not isinstance(overrides, Mapping):
        raise OverridesError("must be an object of a profile's fields", field="overrides")
    for name, value in overrides.items():
        _check_form(name, value)
    values = {name: getattr(profile, name) for name in ("name", "description", *_TYPES)}
    try:
        return Profile(**values | dict(overrides)).to_value()
    except InvalidProfileError as error:
        problem = error.problems[0]
        raise _problem(problem.field, problem.message) from None


def expires_after_seconds(overrides: Mapping[str, Any], profile_seconds: float) -> float:
    """The same of one field, for whoever has no profile at hand. What makes no sense is passed over."""
    seconds = overrides.get("expires_after_seconds") if isinstance(overrides, Mapping) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 1 <= seconds <= LONGEST_SECONDS:
        return float(seconds)
    return profile_seconds


def _check_form(name: str, value: Any) -> None:
    """Names, types and texts; what the values mean together, the profile itself judges."""
    if name not in _TYPES:
        raise _problem(name, f"is no field that can be overridden; there are {', '.join(_TYPES)}")
    if not _is_of(value, _TYPES[name]):
        raise _problem(name, f"is {'none' if value is None else 'of another type'} where the profile has a value")
    match name:
        case "intervals_seconds":
            if len(value) > MOST_INTERVALS or not all(_is_of(wait, _NUMBER) for wait in value):
                raise _problem(name, f"must be a list of at most {MOST_INTERVALS} numbers")
        case "body_form":
            if value not in list(BodyForm):
                raise _problem(name, f"must be one of {', '.join(BodyForm)}")
        case "success_statuses" | "retry_on":
            try:
                _PARSERS[name](value)
            except StatusTextError as error:
                raise _problem(name, str(error)) from None


def _is_of(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _problem(name: str, message: str) -> OverridesError:
    return OverridesError(message, field=f"overrides.{name[:60]}")
