"""How does a request reach a hub, and what does its answer mean? Again where that is safe; refusals become exceptions."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from .errors import ClientError, Unavailable, UnexpectedAnswer, Unreachable, read_problem
from .parameters import to_query

# A hub that asks for more patience than this is asked again by somebody who has more.
LONGEST_WAIT_SECONDS = 30.0
# They come from proxies too, without a problem document.
_NOT_NOW = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A success."""

    document: Any
    """The JSON of the body; None where there is none."""
    headers: Mapping[str, str]
    """Names are the same in upper and lower case."""


class Connection:
    """The way to one hub, with one key."""

    def __init__(
        self, base_url: str, key: str, *, timeout_seconds: float, attempts: int, backoff_seconds: float
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise ValueError(f"{base_url!r} is no base URL; https://hub.example.com would be one")
        self.base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds
        self._session = requests.Session()
        self._session.auth = _BearerKey(key)

    def close(self) -> None:
        """Let go of what is kept open."""
        self._session.close()

    def call(
        self,
        method: str,
        route: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        can_repeat: bool = False,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Send a request to `/api/v1/{route}`; `can_repeat` says that the hub does once what it is asked twice.

        Raises ClientError.
        """
        prepared = self._prepare(method, route, query or {}, body, headers or {})
        number = 1
        while True:
            try:
                return _read(self._send(prepared, timeout_seconds or self._timeout_seconds))
            except (Unreachable, Unavailable) as error:
                wait_seconds = self._wait_seconds(error, number)
                if not can_repeat or wait_seconds is None:
                    raise
            time.sleep(wait_seconds)
            number += 1

    def _prepare(
        self, method: str, route: str, query: Mapping[str, Any], body: Any, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        content = {} if body is None else {"Content-Type": "application/json"}
        return self._session.prepare_request(
            requests.Request(
                method,
                f"{self.base_url}/api/v1/{route}",
                params=to_query(query),
                data=None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode(),
                headers={"Accept": "application/json", **content, **headers},
            )
        )

    def _send(self, prepared: requests.PreparedRequest, timeout_seconds: float) -> requests.Response:
        environment = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        try:
            # A redirect would turn a POST into a GET.
            return self._session.send(prepared, timeout=timeout_seconds, allow_redirects=False, **environment)
        except requests.RequestException as error:
            raise Unreachable(f"{self.base_url} does not answer: {error}") from error

    def _wait_seconds(self, error: ClientError, number: int) -> float | None:
        """How long to wait after attempt `number`; None: it was the last."""
        if number >= self._attempts:
            return None
        if isinstance(error, Unavailable):
            asked = error.retry_after_seconds
            return asked if asked is not None and asked <= LONGEST_WAIT_SECONDS else None
        # Of many who lost the same hub, not all come back at once.
        return float(self._backoff_seconds * 2 ** (number - 1) * random.uniform(0.5, 1.0))


class _BearerKey(AuthBase):
    """As a session's own header, it would give way to what a netrc file says of the host."""

    def __init__(self, key: str) -> None:
        self._authorization = f"Bearer {key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._authorization
        return request


def _read(response: requests.Response) -> Answer:
    """Raises ProblemError or UnexpectedAnswer."""
    status = response.status_code
    if not response.content and 200 <= status < 300:
        return Answer(document=None, headers=response.headers)
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if 200 <= status < 300 and document is not None:
        return Answer(document=document, headers=response.headers)
    retry_after = response.headers.get("Retry-After", "")
    retry_after_seconds = float(retry_after) if retry_after.isdecimal() else None
    if isinstance(document, dict) and "code" in document:
        raise read_problem(document, status=status, retry_after_seconds=retry_after_seconds)
    if status in _NOT_NOW:
        told = {"detail": response.reason}
        raise read_problem(told, status=status, retry_after_seconds=retry_after_seconds)
    leads = f", which leads to {response.headers['Location']}" if "Location" in response.headers else ""
    raise UnexpectedAnswer(
        f"{response.url} answers {status} {response.reason}{leads}: that is no answer of a hub's API"
    )
