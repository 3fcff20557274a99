"""Which page is where? (`/healthz` and `/readyz` are answered before: see `webhookhub.health`.)"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from config import admin as _  # noqa: F401 - registers its pages before the admin's URLs are made

urlpatterns = [
    path("api/v1/", include("webhookhub.api.urls")),
    path("api/v1/", include("subscriptions.api.urls")),
    path("api/v1/", include("deliveries.api.urls")),
    path("api/remap/1.2/", include("subscriptions.api.remap_urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path(
        "api/reference",
        SpectacularRedocView.as_view(url_name="schema", template_name="webhookhub/reference.html"),
        name="reference",
    ),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]

handler400 = "webhookhub.api.fallbacks.bad_request"
handler404 = "webhookhub.api.fallbacks.not_found"
handler500 = "webhookhub.api.fallbacks.server_error"
