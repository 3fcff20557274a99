"""The admin's pages of delivery profiles; the one of subscriptions is registered by `deliveries`, which knows how they do."""

from __future__ import annotations

from subscriptions.admin import profiles

__all__ = ["profiles"]
