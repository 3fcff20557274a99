"""What does an administrator see of deliveries, and how are they stopped?"""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries.cancel import cancel
from deliveries.models import Delivery, DeliveryAttempt, Status
from webhookhub.admin import ReadOnlyAdmin


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Outstanding webhooks, and those that are done (000_367773aad2115c27.txt: seen and cancelled by an administrator)."""

    list_display = ("shown_id", "status", "event_type", "url", "attempt_count", "last_outcome", "due_at")
    list_filter = ("status", "last_outcome")
    # A join would hide the deliveries of what was deleted; and an empty tuple keeps Django from joining by itself.
    list_select_related = ()
    ordering: ClassVar = ["-id"]
    actions = ("cancel_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """With the events and subscriptions of a page in one query each."""
        return super().get_queryset(request).prefetch_related("event", "subscription")  # type: ignore[no-any-return]  # unfold carries no types

    @admin.display(description="event")
    def event_type(self, delivery: Delivery) -> str:
        """What happened; the event itself may be past its retention."""
        return delivery.event.type if delivery.event else "-"

    @admin.display(description="where to")
    def url(self, delivery: Delivery) -> str:
        """Where it goes; the subscription itself may be deleted."""
        return delivery.subscription.url if delivery.subscription else "-"

    @admin.action(description="Cancel: send nothing more", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Cancel those that are still outstanding."""
        outstanding = queryset.filter(status__in=(Status.PENDING, Status.HELD))
        cancelled = cancel(outstanding.values_list("id", flat=True), reason="cancelled in the admin")
        messages.success(request, f"{len(cancelled)} deliveries were cancelled.")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whoever may change deliveries may stop them."""
        return request.user.has_perm("deliveries.change_delivery")


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    list_display = ("number", "delivery_id", "started_at", "outcome", "status_code", "total_ms")
    ordering: ClassVar = ["-id"]
