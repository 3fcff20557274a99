"""Does a hostile answer cost more memory than its cap? Measured in a process of its own, where nothing else grows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deliveries.transport import TransportName

MEGABYTE = 1024 * 1024
# Ten receivers at once, each free to send as much as it likes. Kept are 16 kB each, read 64 kB, headers 300 kB.
GROWTH_LIMIT_BYTES = 32 * MEGABYTE


@pytest.mark.parametrize("attack", ["endless_body", "gigabyte_body", "endless_headers", "endless_chunks"])
def test_ten_endless_answers_at_once_stay_within_the_cap(transport_name: TransportName, attack: str) -> None:
    measured = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.transport.measure_memory", transport_name, attack],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert measured.returncode == 0, measured.stderr
    assert int(measured.stdout) < GROWTH_LIMIT_BYTES
