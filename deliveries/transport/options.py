"""How far may a transport go: the limits and choices that hold for every request it sends."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportOptions:
    """Limits of one transport; they never change while it lives, so that a verdict on an address stays true."""

    allow_cidrs: tuple[IPv4Network | IPv6Network, ...] = ()
    """Otherwise refused networks that may be reached (an intranet, tests)."""
    max_connections: int = 1_000
    """Sockets in use at once; further requests wait for one, inside their own deadline."""
    connect_timeout_seconds: float = 10.0
    resolve_timeout_seconds: float = 5.0
    resolve_threads: int = 16
    """Name lookups at once. A lookup cannot be cancelled: a name server that never answers holds one for its time."""
    resolve_cache_seconds: float = 5.0
    idle_connection_seconds: int = 4
    """Idle connections older than this are not reused: common servers close theirs after 5 s (Node, uvicorn)."""
    max_body_bytes: int = 16 * 1024
    """Of an answer's body that is kept."""
    max_read_bytes: int = 64 * 1024
    """Of an answer's body that is read; draining a little more than is kept saves the connection."""
    max_header_bytes: int = 8 * 1024
    """Of an answer's headers that are kept."""
    verify_tls: bool = True
    ca_bundle: str | None = None
    """Path of a PEM file of trusted authorities; None means certifi's."""
    proxy_url: str | None = None
    """Egress proxy (http://host:port). It resolves names itself, so it must also be what refuses private addresses."""
    threads: int = 32
    """Requests at once in the `requests` transport."""

    @property
    def read_limit_bytes(self) -> int:
        """What is kept must be read, whatever else was set."""
        return max(self.max_read_bytes, self.max_body_bytes)
