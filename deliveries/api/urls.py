"""The API's routes of deliveries, jobs, and what is done with events."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
