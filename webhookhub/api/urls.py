"""The API's routes of accounts, keys, events and event types."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
