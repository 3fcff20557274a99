"""Where does a subscription's event go, and under which rules? Everything an attempt needs, kept until the row's version moves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from subscriptions.auth import NO_AUTH, Auth, unseal
from subscriptions.builtin_profiles import DEFAULT_PROFILE
from subscriptions.custom_headers import CustomHeader, unseal_headers
from subscriptions.models import Circuit, Subscription
from subscriptions.overrides import apply_overrides
from subscriptions.profiles import DeliveryProfile
from subscriptions.signing_secrets import SigningSecret, parse_secret
from webhookhub.encryption import decrypt
from webhookhub.errors import WebhookHubError
from webhookhub.targets import parse_url

logger = logging.getLogger("webhookhub.endpoints")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatedSecret:
    """A signing secret and the moment from which it no longer signs (None: never)."""

    secret: SigningSecret
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCircuit:
    """Nothing goes to this endpoint, but for one attempt of one delivery where a probe is under way."""

    probe_id: UUID | None = None
    probe_attempt: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One subscription as the delivery stages see it."""

    subscription_id: UUID
    account_id: UUID
    version: int
    url: str
    enabled: bool
    auth: Auth
    headers: tuple[CustomHeader, ...] = ()
    profile: DeliveryProfile
    secrets: tuple[DatedSecret, ...]
    """Newest first."""
    rate_limit_per_second: int | None = None
    concurrency_limit: int | None = None
    open_circuit: OpenCircuit | None = None
    is_slow: bool = False
    """Whether its deliveries have a queue of their own, as it takes long to answer."""

    @property
    def is_limited(self) -> bool:
        """Whether its attempts have to wait for each other, over all workers."""
        return self.rate_limit_per_second is not None or self.concurrency_limit is not None

    def live_secrets(self, now: datetime) -> tuple[SigningSecret, ...]:
        """The secrets that sign at `now`, newest first."""
        return tuple(dated.secret for dated in self.secrets if dated.expires_at is None or now < dated.expires_at)


# Some 5 kB each: a bound on memory for hubs with very many subscriptions; those in use come back at once.
MOST_KEPT = 10_000

_endpoints: dict[UUID, Endpoint] = {}


def load_endpoints(versions: Mapping[UUID, int]) -> dict[UUID, Endpoint]:
    """The endpoints of these subscriptions at these versions or newer ones; deleted subscriptions are left out.

    A version that did not move costs nothing. One that did is read with its profile and secrets in two statements for all.
    """
    found = {
        identifier: _endpoints[identifier] for identifier, version in versions.items() if _is_known(identifier, version)
    }
    moved = versions.keys() - found
    if moved:
        if len(_endpoints) > MOST_KEPT:
            _endpoints.clear()
        rows = (
            Subscription.objects.filter(id__in=moved).select_related("profile", "circuit").prefetch_related("secrets")
        )
        for row in rows:
            found[row.id] = _endpoints[row.id] = _endpoint(row)
    return found


def _is_known(identifier: UUID, version: int) -> bool:
    known = _endpoints.get(identifier)
    return known is not None and known.version == version


def _endpoint(row: Subscription) -> Endpoint:
    """The row's endpoint. One that makes no sense takes nothing until it is mended, and costs its neighbours nothing."""
    try:
        parse_url(row.url)
        return _usable_endpoint(row)
    except WebhookHubError as error:
        logger.error("unusable subscription", extra={"subscription": row.shown_id, "reason": str(error)[:200]})
        return Endpoint(
            subscription_id=row.id,
            account_id=row.account_id,
            version=row.version,
            url=row.url,
            enabled=False,
            auth=NO_AUTH,
            profile=DEFAULT_PROFILE,
            secrets=(),
        )


def _usable_endpoint(row: Subscription) -> Endpoint:
    circuit: Circuit | None = getattr(row, "circuit", None)
    newest_first = sorted(row.secrets.all(), key=lambda secret: secret.created_at, reverse=True)
    return Endpoint(
        subscription_id=row.id,
        account_id=row.account_id,
        version=row.version,
        url=row.url,
        # A limit of nothing lets nothing go.
        enabled=row.takes_deliveries and 0 not in (row.rate_limit_per_second, row.concurrency_limit),
        auth=unseal(row.auth_kind, row.encrypted_credentials),
        headers=unseal_headers(row.encrypted_headers),
        profile=apply_overrides(row.profile, row.overrides),
        secrets=tuple(
            DatedSecret(secret=parse_secret(decrypt(secret.encrypted_text)), expires_at=secret.expires_at)
            for secret in newest_first
        ),
        rate_limit_per_second=row.rate_limit_per_second,
        concurrency_limit=row.concurrency_limit,
        open_circuit=_open_circuit(circuit),
        is_slow=circuit is not None and circuit.is_slow,
    )


def _open_circuit(circuit: Circuit | None) -> OpenCircuit | None:
    if circuit is None or not circuit.is_holding:
        return None
    return OpenCircuit(probe_id=circuit.probe_id, probe_attempt=circuit.probe_attempt)
