from __future__ import annotations

import logging

from django.apps import AppConfig
from django.core.checks import register

from webhookhub.checks import check_settings, check_variables, unknown_variables

logger = logging.getLogger("webhookhub.settings")


class WebhookHubConfig(AppConfig):
    name = "webhookhub"
    verbose_name = "WebhookHub"

    def ready(self) -> None:
        """Adds the hub's checks to `manage.py check`, and names at the start what was set and is no setting."""
        register(check_settings)
        register(check_variables)
        for name, meant in unknown_variables().items():
            logger.warning("unknown variable", extra={"variable": name, "meant": meant})
