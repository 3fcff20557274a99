"""`webhookhub/client` works where it was copied to, with nothing of the hub beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.local.state import CHECKOUT

NAMES_OF_OTHERS = """
import sys
import theirs
parts_of_the_hub = {"webhookhub", "subscriptions", "deliveries", "config", "django", "rest_framework", "celery", "kombu"}
print(*sorted(parts_of_the_hub & sys.modules.keys()))
"""
WITHOUT_CRYPTOGRAPHY = """
import sys
sys.modules["cryptography"] = None
from theirs import VerificationError, verify
headers = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
print(verify(b'{"test": 2432232314}', headers, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None))
try:
    verify(b"{}", headers, "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
except ValueError as error:
    print(error)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that holds a copy of the client, and nothing else."""
    shutil.copytree(CHECKOUT / "webhookhub" / "client", tmp_path / "theirs")
    return tmp_path


def run(program: str, folder: Path) -> str:
    """What the program prints there. Warnings are errors."""
    command = [sys.executable, "-W", "error", "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_copy_of_the_client_brings_nothing_of_the_hub_along(elsewhere: Path) -> None:
    assert run(NAMES_OF_OTHERS, elsewhere) == ""


def test_without_cryptography_secrets_verify_and_public_keys_say_what_is_missing(elsewhere: Path) -> None:
    verified, missing = run(WITHOUT_CRYPTOGRAPHY, elsewhere).splitlines()
    assert verified == "{'test': 2432232314}"
    assert "cryptography" in missing
