"""Is the source in order? Style, types, direction of imports, migrations and deployment settings, one line each."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass

from scripts.local.console import Progress, run_command, say
from scripts.local.environment import DEVELOPMENT, enter
from scripts.local.state import CHECKOUT

SOURCES = ("config", "webhookhub", "subscriptions", "deliveries", "scripts")

# import-linter is a command without a module of its own to run.
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    name: str
    command: tuple[str, ...]
    """What Python runs."""


CHECKS = (
    Check(name="style", command=("-m", "ruff", "check")),
    Check(name="format", command=("-m", "ruff", "format", "--check")),
    Check(name="types", command=("-m", "mypy", "--strict", *SOURCES)),
    Check(name="direction of imports", command=("-c", LINT_IMPORTS)),
    Check(name="missing migrations", command=("manage.py", "makemigrations", "--check", "--dry-run")),
    Check(name="deployment settings", command=("manage.py", "check", "--deploy", "--fail-level", "WARNING")),
)


def main() -> int:
    enter(DEVELOPMENT)
    failed = [check.name for check in CHECKS if not _passes(check)]
    say(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def _passes(check: Check) -> bool:
    """Run the check; a line says how it went, and what it said follows only where it failed."""
    progress = Progress(check.name)
    done = subprocess.run(
        [sys.executable, *check.command],
        cwd=CHECKOUT,
        env=os.environ | _production_settings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    progress.done("ok" if done.returncode == 0 else "FAILED")
    if done.returncode != 0:
        say(done.stdout)
    return done.returncode == 0


def _production_settings() -> dict[str, str]:
    """Settings as a deployment has them; nothing listens at these addresses, and nothing needs to."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "postgres://webhookhub:password@127.0.0.1:1/webhookhub",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "WEBHOOKHUB_SECRET_KEY": secrets.token_urlsafe(50),
        "WEBHOOKHUB_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "WEBHOOKHUB_BASE_URL": "https://hub.example.com",
        "WEBHOOKHUB_ALLOWED_HOSTS": "hub.example.com",
        "WEBHOOKHUB_HTTPS": "true",
    }


if __name__ == "__main__":
    run_command(main)
