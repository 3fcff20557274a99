"""The admin's pages of what stands on the ground floor, and what the pages of the other floors are made of."""

from __future__ import annotations

from webhookhub.admin import accounts, events

__all__ = ["accounts", "events"]
