"""What exactly goes over the wire for an attempt? Body, headers, signatures: bytes from values, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never
from urllib.parse import quote, urlsplit, urlunsplit

from deliveries.claim import Claim, Fact
from deliveries.transport import Request
from subscriptions.auth import static_header
from subscriptions.endpoints import Endpoint
from subscriptions.profiles import BodyForm
from subscriptions.signing import sign
from webhookhub.ecmascript import encode
from webhookhub.moments import iso_moment


def build_request(claim: Claim, endpoint: Endpoint, *, now: datetime, default_user_agent: str) -> Request:
    """The POST of one attempt that begins at `now`: the same body and id on every attempt, the timestamp of this one."""
    profile = endpoint.profile
    fact = claim.fact
    body = build_body(fact, endpoint)
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", profile.user_agent or default_user_agent),
        *sign(
            body,
            event_id=fact.shown_id,
            timestamp=int(now.timestamp()),
            # Those that admission saw: none may end between the claim and here.
            secrets=endpoint.live_secrets(claim.claimed_at),
        ),
    ]
    if fact.correlation_id:
        headers.append(("X-Correlation-Id", quote(fact.correlation_id, safe=_HEADER_SAFE)))
    if (credentials := static_header(endpoint.auth)) is not None:
        headers.append(credentials)
    headers.extend((header.name, header.value) for header in endpoint.headers)
    url = endpoint.url
    if profile.request_id_parameter:
        url = add_parameter(url, profile.request_id_parameter, str(claim.delivery_id))
    return Request(url=url, headers=tuple(headers), body=body, timeout_seconds=profile.timeout_seconds)


def build_body(fact: Fact, endpoint: Endpoint) -> bytes:
    """The body of every attempt to deliver `fact` there, in the bytes that `JSON.stringify` would write again."""
    match form := endpoint.profile.body_form:
        case BodyForm.ENVELOPE:
            text = (
                f'{{"id":"{fact.shown_id}","type":"{fact.type}",'
                f'"createdAt":"{iso_moment(fact.created_at)}","data":{fact.data}}}'
            )
        case BodyForm.NOTIFICATION:
            meta = {"type": fact.entity_type or fact.type, "href": fact.subject}
            account_id = str(endpoint.account_id)
            text = encode({"events": [{"meta": meta, "action": fact.action, "accountId": account_id}]})
        case BodyForm.DATA:
            text = fact.data
        case _:
            assert_never(form)
    return text.encode()


def add_parameter(url: str, name: str, value: str) -> str:
    """`url` with one more query parameter behind those it has."""
    parts = urlsplit(url)
    query = f"{parts.query}&{name}={value}" if parts.query else f"{name}={value}"
    return urlunsplit(parts._replace(query=query))


# RFC 9110, section 5.5: visible ASCII; everything else of a correlation id is percent-encoded.
_HEADER_SAFE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "") + " "
