"""The admin's pages of deliveries, their attempts, and jobs."""

from __future__ import annotations

from deliveries.admin import deliveries, jobs

__all__ = ["deliveries", "jobs"]
