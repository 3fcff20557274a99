"""Every test of the contract runs against each transport."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deliveries.transport import Transport, TransportName, open_transport
from tests.acceptance.transport.sending import loopback_options


@pytest.fixture(params=["curl", "requests"])
def transport_name(request: pytest.FixtureRequest) -> TransportName:
    name: TransportName = request.param
    return name


@pytest.fixture
def transport(transport_name: TransportName) -> Iterator[Transport]:
    transport = open_transport(transport_name, loopback_options())
    yield transport
    transport.close(0)
