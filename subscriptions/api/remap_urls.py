"""The routes of the interface that 002_44c3dd7dc10608b6.txt describes; they are mounted at `/api/remap/1.2/`."""

from __future__ import annotations

from django.urls import URLPattern, path

from subscriptions.api.remap import EntityMetadataView, EntityWebhooksView, EntityWebhookView
from subscriptions.api.remap_employee import EmployeeMetadataView, EmployeeView

app_name = "remap"
urlpatterns: list[URLPattern] = [
    path("entity/webhook", EntityWebhooksView.as_view(), name="webhooks"),
    # Before the route of one webhook, which takes any name.
    path("entity/webhook/metadata", EntityMetadataView.as_view(), name="metadata"),
    path("entity/webhook/<str:webhook>", EntityWebhookView.as_view(), name="webhook"),
    path("context/employee", EmployeeView.as_view(), name="employee"),
    path("entity/employee/metadata", EmployeeMetadataView.as_view(), name="employee-metadata"),
]
