"""What the package promises to those who import it."""

from __future__ import annotations

import subprocess
import sys

import deliveries.transport
from deliveries.transport import TransportOptions, open_transport


def test_every_exported_name_exists() -> None:
    assert all(hasattr(deliveries.transport, name) for name in deliveries.transport.__all__)
    assert sorted(deliveries.transport.__all__) == deliveries.transport.__all__


def test_the_requests_transport_needs_no_libcurl() -> None:
    program = (
        "import sys; sys.modules['pycurl'] = None\n"
        "from deliveries.transport import TransportOptions, open_transport\n"
        "open_transport('requests', TransportOptions()).close(0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_each_name_opens_its_transport() -> None:
    names = [type(open_transport(name, TransportOptions())).__name__ for name in ("curl", "requests")]
    assert names == ["CurlTransport", "RequestsTransport"]
