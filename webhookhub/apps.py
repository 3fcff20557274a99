from __future__ import annotations

from django.apps import AppConfig


class WebhookHubConfig(AppConfig):
    name = "webhookhub"
    verbose_name = "WebhookHub"
