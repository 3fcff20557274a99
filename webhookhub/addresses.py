"""May this address be connected to?

The tables are explicit: the verdicts of `ipaddress.is_global` and `is_private` change between Python versions and let
multicast, NAT64, 6to4 and the shared address space pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux reaches its loopback by it
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers and clouds (RFC 6598)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host service, on a public address
        "169.254.0.0/16",  # link-local; cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

# Everything outside is refused without being named: loopback, unique local, link-local, site-local, multicast, NAT64.
GLOBAL_IPV6 = IPv6Network("2000::/3")
REFUSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation (RFC 9637)
    )
)

# No allow-list opens these, be it 0.0.0.0/0 or ::/0: nobody's receiver lives there, and metadata services do.
NEVER_ALLOWED: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.100.100.200/32"),  # Alibaba's metadata, inside the shared space
    IPv4Network("168.63.129.16/32"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("192.0.0.192/32"),  # Oracle's metadata
    IPv4Network("224.0.0.0/4"),
    IPv4Network("255.255.255.255/32"),
    # Wrappers around IPv4: one of them can hold any address above. All of ::/96 is one, but for the loopback ::1.
    *IPv6Network("::/96").address_exclude(IPv6Network("::1/128")),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("fd00:ec2::254/128"),  # Amazon's metadata
    IPv6Network("fd20:ce::254/128"),  # Google's metadata
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)


def is_allowed(address: Address, *, allow_cidrs: Sequence[Network] = ()) -> bool:
    """Whether a socket may be connected to `address`.

    `allow_cidrs` opens networks that are refused otherwise, except those that are never allowed. An IPv4-mapped IPv6
    address is judged as the IPv4 address it is.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if _is_in(address, NEVER_ALLOWED):
        return False
    return _is_public(address) or _is_in(address, allow_cidrs)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _is_in(address, REFUSED_IPV4)
    return address in GLOBAL_IPV6 and not _is_in(address, REFUSED_IPV6)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
