"""The API's routes of accounts, keys, events and event types."""

from __future__ import annotations

from django.urls import URLPattern, path

from webhookhub.api.accounts import AccountsView, AccountView
from webhookhub.api.event_types import EventTypesView, EventTypeView
from webhookhub.api.keys import KeysView, KeyView
from webhookhub.api.publishing import PublishBatch

urlpatterns: list[URLPattern] = [
    # `POST events` stands with the list of events: deliveries.api.events.
    path("events/batch", PublishBatch.as_view()),
    path("accounts", AccountsView.as_view()),
    path("accounts/<str:account>", AccountView.as_view()),
    path("keys", KeysView.as_view()),
    path("keys/<str:key>", KeyView.as_view()),
    path("event-types", EventTypesView.as_view()),
    path("event-types/<str:name>", EventTypeView.as_view()),
]
