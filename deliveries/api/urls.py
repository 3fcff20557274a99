"""The API's routes of deliveries, jobs, and what is done with events."""

from __future__ import annotations

from django.urls import URLPattern, path

from deliveries.api.actions import CancelDelivery, ReplayDelivery, ReplayEvent, RetryDelivery
from deliveries.api.deliveries import AttemptList, AttemptResponse, DeliveryDetail, DeliveryList
from deliveries.api.events import EventData, EventDeliveries, EventDetail, EventList
from deliveries.api.jobs import JobsView, JobView, StopJobView
from deliveries.api.stats import WebhookStatsView
from deliveries.api.trials import TryWebhook

urlpatterns: list[URLPattern] = [
    path("events", EventList.as_view()),
    path("events/<str:event>", EventDetail.as_view()),
    path("events/<str:event>/data", EventData.as_view()),
    path("events/<str:event>/deliveries", EventDeliveries.as_view()),
    path("deliveries", DeliveryList.as_view()),
    path("deliveries/<str:delivery>", DeliveryDetail.as_view()),
    path("deliveries/<str:delivery>/attempts", AttemptList.as_view()),
    path("deliveries/<str:delivery>/attempts/<int:number>/response", AttemptResponse.as_view()),
    path("webhooks/<str:webhook>/stats", WebhookStatsView.as_view()),
    path("deliveries/<str:delivery>/cancel", CancelDelivery.as_view()),
    path("deliveries/<str:delivery>/retry", RetryDelivery.as_view()),
    path("deliveries/<str:delivery>/replay", ReplayDelivery.as_view()),
    path("events/<str:event>/replay", ReplayEvent.as_view()),
    path("webhooks/<str:webhook>/test", TryWebhook.as_view()),
    path("jobs", JobsView.as_view()),
    path("jobs/<str:job>", JobView.as_view()),
    path("jobs/<str:job>/cancel", StopJobView.as_view()),
]
