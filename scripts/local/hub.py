"""Which environment variables make a process part of the hub on this machine?"""

from __future__ import annotations

import base64
import os
import secrets

from scripts.local.servers import LocalServers
from scripts.local.state import StateFolder

SECRET_KEY_BYTES = 50
FERNET_KEY_BYTES = 32


def hub_environment(state: StateFolder, servers: LocalServers) -> dict[str, str]:
    """This process's environment, the servers' URLs, and secrets that were drawn once for this state folder."""
    return os.environ | {
        "WEBHOOKHUB_STATE": str(state.path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": servers.database_url,
        "CELERY_BROKER_URL": servers.broker_url,
        "WEBHOOKHUB_SECRET_KEY": state.secret("secret-key", draw=lambda: secrets.token_urlsafe(SECRET_KEY_BYTES)),
        "WEBHOOKHUB_ENCRYPTION_KEYS": state.secret("encryption-keys", draw=_draw_fernet_key),
        # The demo's receiver and the tests' ones listen on the loopback, which is refused otherwise.
        "WEBHOOKHUB_ALLOW_CIDRS": "127.0.0.0/8",
    }


def _draw_fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(FERNET_KEY_BYTES)).decode()
