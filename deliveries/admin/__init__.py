"""The admin's pages of deliveries, their attempts, jobs, and of subscriptions, whose health they tell."""

from __future__ import annotations

from deliveries.admin import deliveries, events, jobs, webhooks

__all__ = ["deliveries", "events", "jobs", "webhooks"]
