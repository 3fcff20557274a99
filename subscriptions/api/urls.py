"""The API's routes of webhooks and their secrets."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
