"""Which endpoints does the demo's receiver have, and what did it agree on with the hub for each?"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scripts.local.state import StateFolder

# Standard Webhooks 1.0.0: 24 to 64 random bytes.
KEY_BYTES = 24
PASSWORD_BYTES = 18
CRM_USER = "webhookhub"


class EndpointName(StrEnum):
    """The path of an endpoint, without its slash."""

    ORDERS = "orders"
    TRANSACTIONS = "transactions"
    ENTITIES = "entities"
    CRM = "crm"
    FLAKY = "flaky"


# How many requests with the same webhook-id an endpoint turns away before it accepts one.
REFUSALS_AT_FIRST: Mapping[EndpointName, int] = {EndpointName.FLAKY: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What an endpoint and the hub agreed on, and nobody else knows."""

    signing_secret: str = field(repr=False)
    """`whsec_` and base64."""
    authorization: str = field(repr=False)
    """The Authorization header that requests must carry; empty: none."""


def read_agreement(state: StateFolder, name: EndpointName) -> Agreement:
    """The endpoint's secrets: drawn once for a state folder, with mode 0600, where both sides find them."""
    signing_secret = state.secret(f"receiver-{name}-signing", draw=_draw_signing_secret)
    if name is not EndpointName.CRM:
        return Agreement(signing_secret=signing_secret, authorization="")
    password = state.secret(f"receiver-{name}-password", draw=lambda: secrets.token_urlsafe(PASSWORD_BYTES))
    return Agreement(signing_secret=signing_secret, authorization=_basic_authorization(CRM_USER, password))


def _draw_signing_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _basic_authorization(user: str, password: str) -> str:
    """RFC 7617, section 2."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
