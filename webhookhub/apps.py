from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from webhookhub.checks import check_settings


class WebhookHubConfig(AppConfig):
    name = "webhookhub"
    verbose_name = "WebhookHub"

    def ready(self) -> None:
        """Adds the hub's checks to `manage.py check`."""
        register(check_settings)
