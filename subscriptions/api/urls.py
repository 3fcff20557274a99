"""The API's routes of webhooks and their secrets."""

from __future__ import annotations

from django.urls import URLPattern, path

from subscriptions.api.filters import FilterTestView
from subscriptions.api.profiles import ProfilesView
from subscriptions.api.secrets import SecretRotationView, SecretView
from subscriptions.api.webhooks import OneWebhookView, WebhooksView

urlpatterns: list[URLPattern] = [
    # Before the routes of one webhook, which take any name.
    path("webhooks/test-filter", FilterTestView.as_view()),
    path("webhooks/<str:webhook>/secret", SecretView.as_view()),
    path("webhooks/<str:webhook>/secret/rotate", SecretRotationView.as_view()),
    path("webhooks", WebhooksView.as_view()),
    path("webhooks/<str:webhook>", OneWebhookView.as_view()),
    path("profiles", ProfilesView.as_view()),
]
