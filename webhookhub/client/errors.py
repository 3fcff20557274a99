"""What can go wrong between a program and a hub?

ClientError
├── ProblemError         the hub said no, and why
│   ├── Unauthorized     401: no valid key
│   ├── Forbidden        403: the key's role or the account's plan does not go so far
│   ├── NotFound         404: there is none, or it is another account's
│   ├── Conflict         409: it is not in a state for this, or another one is in the way
│   ├── Invalid          400, 413, 415, 422: `errors` names what is wrong in the request
│   └── Unavailable      429, 502, 503, 504: not now
├── Unreachable          there was no answer: whether the request arrived is not known
├── UnexpectedAnswer     something else than a hub answered
└── VerificationError    what was received was not signed with the secret, or not of late
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One field that is wrong: its path in the request (`events[2].type`), and what would be right."""

    field: str
    message: str


class ClientError(Exception):
    """The root of everything that this package raises on purpose."""


class ProblemError(ClientError):
    """The hub refused. A program decides by `status` and `code`; `detail` is for people."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds


class Unauthorized(ProblemError):
    """The key is missing, unknown, revoked or expired."""


class Forbidden(ProblemError):
    """The key's role or the account's plan does not go so far."""


class NotFound(ProblemError):
    """There is none, or it is another account's."""


class Conflict(ProblemError):
    """It is not in a state for this, or another one is in the way."""


class Invalid(ProblemError):
    """The request is wrong; `errors` names the fields."""


class Unavailable(ProblemError):
    """Not now: `retry_after_seconds`, where it is not None, tells when to try again."""


class Unreachable(ClientError):
    """There was no answer: nobody listens, or it took too long. Whether the request arrived is not known."""


class UnexpectedAnswer(ClientError):
    """What answered is no hub, or a redirect to somewhere else."""


class VerificationError(ClientError):
    """What was received was not signed with the secret, or not of late. The message says which, and no secret."""


_BY_STATUS: dict[int, type[ProblemError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def read_problem(document: Mapping[str, Any], *, status: int, retry_after_seconds: float | None = None) -> ProblemError:
    """The error of the status's own class that a problem document (RFC 9457) tells of."""
    return _BY_STATUS.get(status, ProblemError)(
        status=status,
        code=str(document.get("code", "")),
        detail=str(document.get("detail", "")),
        errors=[FieldError(one["field"], one["message"]) for one in document.get("errors", [])],
        retry_after_seconds=retry_after_seconds,
    )
