"""The table of refused addresses, at both edges of every range."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookhub.addresses import is_allowed

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))

# first and last address of the range; the neighbours on both sides, where they are public
REFUSED_RANGES = [
    ("0.0.0.0", "0.255.255.255", None, "1.0.0.0"),
    ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
    ("100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"),
    ("127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"),
    ("168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17"),
    ("169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"),
    ("172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
    ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
    ("192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"),
    ("192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"),
    ("192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"),
    ("198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"),
    ("198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"),
    ("203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"),
    ("224.0.0.0", "255.255.255.255", "223.255.255.255", None),
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, "2000::"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
]

# Addresses that `ipaddress.is_global` or `is_private` of some Python lets pass, and metadata services.
REFUSED = [
    "224.0.0.1", "192.0.0.8", "192.0.0.192", "192.88.99.1", "100.100.100.200", "169.254.169.254", "255.255.255.255",
    "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "100::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1", "ff02::1", "3fff::1",
]  # fmt: skip

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:82b::200e", "::ffff:1.1.1.1"]

# Not even an allow-list of everything opens these.
NEVER = [
    "0.0.0.0", "0.0.0.1", "169.254.0.0", "169.254.169.254",
    "169.254.255.255", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "224.0.0.0", "239.255.255.255", "255.255.255.255", "::",
    "::2", "::7f00:1", "::ffff:169.254.169.254", "::ffff:0:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "2001::1", "fd00:ec2::254", "fd20:ce::254",
    "fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", "ff02::1",
]  # fmt: skip

OPENED_BY_EVERYTHING = ["10.0.0.1", "127.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize(("first", "last", "before", "after"), REFUSED_RANGES)
def test_a_refused_range_ends_where_the_table_says(
    first: str, last: str, before: str | None, after: str | None
) -> None:
    assert not is_allowed(ip_address(first))
    assert not is_allowed(ip_address(last))
    for neighbour in (before, after):
        assert neighbour is None or is_allowed(ip_address(neighbour)), neighbour


@pytest.mark.parametrize("address", REFUSED)
def test_special_addresses_are_refused(address: str) -> None:
    assert not is_allowed(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_no_allow_list_opens_these(address: str) -> None:
    own = ip_network(address)
    assert not is_allowed(ip_address(address), allow_cidrs=(*EVERYTHING, own))


@pytest.mark.parametrize("address", OPENED_BY_EVERYTHING)
def test_an_allow_list_opens_private_addresses(address: str) -> None:
    assert not is_allowed(ip_address(address))
    assert is_allowed(ip_address(address), allow_cidrs=EVERYTHING)


def test_an_allowed_network_opens_only_itself() -> None:
    allowed = (ip_network("10.1.0.0/16"),)
    opened = [
        address
        for address in ("10.0.255.255", "10.1.0.0", "10.1.255.255", "10.2.0.0", "192.168.0.1", "::1")
        if is_allowed(ip_address(address), allow_cidrs=allowed)
    ]
    assert opened == ["10.1.0.0", "10.1.255.255"]


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_and_its_mapped_form_have_one_verdict(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    assert is_allowed(mapped) == is_allowed(address)
    assert is_allowed(mapped, allow_cidrs=EVERYTHING) == is_allowed(address, allow_cidrs=EVERYTHING)


@given(st.ip_addresses())
def test_what_python_calls_private_or_multicast_is_never_allowed(address: IPv4Address | IPv6Address) -> None:
    if is_allowed(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses())
def test_an_allow_list_never_closes_anything(address: IPv4Address | IPv6Address) -> None:
    assert is_allowed(address, allow_cidrs=EVERYTHING) >= is_allowed(address)
