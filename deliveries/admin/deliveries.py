"""What does an administrator see of deliveries? First those that nobody was told of: outstanding, and given up."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from deliveries.admin.acting import act, act_url
from deliveries.admin.deeds import DEEDS
from deliveries.admin.home import show_figures
from deliveries.admin.story import OUTSTANDING, read_story
from deliveries.admin.wanted import FILTERS, read_wanted
from deliveries.admin.words import describe_next, describe_span
from deliveries.models import Delivery, DeliveryAttempt, JobKind
from deliveries.search import find_deliveries
from webhookhub import ids
from webhookhub.admin.hub_admin import ReadOnlyAdmin
from webhookhub.admin.journal import read_notes
from webhookhub.admin.labels import label
from webhookhub.admin.pages import SearchedChangeList
from webhookhub.bounded_search import Found, Stretch, Table, find_along, span_of

STATUS_COLOURS = {"pending": "info", "held": "warning", "delivered": "success", "failed": "danger", "cancelled": ""}
LONGEST_URL_SHOWN = 30


class DeliveryList(SearchedChangeList):
    """Found by the search of the API's lists."""

    def find(self, after: UUID | None, limit: int) -> Found:
        """Raises BadFilterError."""
        wanted = read_wanted({name: str(value) for name, value in self.params.items()}, now=timezone.now())
        return find_deliveries(wanted.filter, account_id=wanted.account_id, after=after, limit=limit, ascending=False)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """000_367773aad2115c27.txt: outstanding webhooks are seen and cancelled by an administrator."""

    list_display = ("event_type", "where_to", "shown_account", "shown_status", "attempts", "last", "next", "age")
    list_filter = FILTERS
    list_filter_submit = True
    list_disable_select_all = True
    list_fullwidth = True
    list_per_page = 50
    list_before_template = "webhookhub/admin/deliveries_above.html"
    # A join would hide the deliveries of what was deleted; and an empty tuple keeps Django from joining by itself.
    list_select_related = ()
    sortable_by = ()
    actions = ("cancel", "retry", "replay", "move_expiry")

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[DeliveryList]:
        """No count, no offset."""
        return DeliveryList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """With the events, subscriptions and accounts of a page in one query each."""
        rows = super().get_queryset(request)
        return rows.prefetch_related("event", "subscription", "account")  # type: ignore[no-any-return]  # unfold carries no types

    def get_urls(self) -> list[Any]:
        """With the page that asks for the reason of a deed, and the figures of the first page."""
        view = self.admin_site.admin_view
        return [
            path("act/<slug:kind>/", view(partial(act, self)), name="deliveries_delivery_act"),
            path("figures/", view(show_figures), name="deliveries_delivery_figures"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With what may be done to all that is found."""
        deeds = [deed for deed in DEEDS.values() if request.user.has_perm(deed.permission)]
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "deeds": deeds})
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The whole story of one delivery. Raises Http404, PermissionDenied."""
        delivery = self.get_object(request, unquote(object_id))
        if delivery is None:
            raise Http404
        if request.method != "GET" or not self.has_view_permission(request, delivery):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(delivery),
            "opts": Delivery._meta,
            "original": delivery,
            "story": read_story(delivery, request),
            "colour": STATUS_COLOURS[delivery.status],
            "may_still_go": delivery.status in OUTSTANDING,
            "notes": read_notes(delivery),
        }
        return TemplateResponse(request, "webhookhub/admin/delivery.html", context)

    @admin.display(description="event")
    def event_type(self, delivery: Delivery) -> str:
        """What happened; the event itself may be past its retention."""
        return delivery.event.type if delivery.event else "(past its retention)"

    @admin.display(description="where to")
    def where_to(self, delivery: Delivery) -> str:
        """Where it goes; the subscription itself may be deleted."""
        url = delivery.subscription.url if delivery.subscription else "(deleted webhook)"
        return url if len(url) <= LONGEST_URL_SHOWN else url[: LONGEST_URL_SHOWN - 1] + "…"

    @admin.display(description="account")
    def shown_account(self, delivery: Delivery) -> str:
        """Whose it is."""
        return delivery.account.name if delivery.account else "(deleted account)"

    @label("status", STATUS_COLOURS)
    def shown_status(self, delivery: Delivery) -> str:
        """Where it stands."""
        return str(delivery.status)

    @admin.display(description="attempts")
    def attempts(self, delivery: Delivery) -> int:
        """So far."""
        return delivery.attempt_count

    @admin.display(description="last outcome")
    def last(self, delivery: Delivery) -> str:
        """How the last attempt went."""
        code = delivery.last_status_code
        outcome = delivery.last_outcome.replace("_", " ")
        return str(code) if code else outcome or "-"

    @admin.display(description="what next")
    def next(self, delivery: Delivery) -> str:
        """When the next attempt comes, or why none does."""
        return describe_next(delivery, now=timezone.now())

    @admin.display(description="age")
    def age(self, delivery: Delivery) -> str:
        """Since its event was recorded."""
        return describe_span(timezone.now() - ids.moment_of(delivery.id))

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """Ask why."""
        return _ask(JobKind.CANCEL, queryset)

    @admin.action(description="Retry now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """Ask why."""
        return _ask(JobKind.RETRY, queryset)

    @admin.action(description="Replay", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """Ask why."""
        return _ask(JobKind.REPLAY, queryset)

    @admin.action(description="Move expiry", permissions=["move_expiry"])
    def move_expiry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """Ask why, and until when."""
        return _ask(JobKind.MOVE_EXPIRY, queryset)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Each deed has a permission of its own."""
        return request.user.has_perm(DEEDS[JobKind.CANCEL].permission)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return request.user.has_perm(DEEDS[JobKind.RETRY].permission)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return request.user.has_perm(DEEDS[JobKind.REPLAY].permission)

    def has_move_expiry_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return request.user.has_perm(DEEDS[JobKind.MOVE_EXPIRY].permission)


def _ask(kind: JobKind, queryset: QuerySet[Delivery]) -> HttpResponse:
    return HttpResponseRedirect(act_url(kind, sorted(queryset.values_list("id", flat=True))))


class AttemptList(SearchedChangeList):
    """Along the primary key."""

    def find(self, after: UUID | None, limit: int) -> Found:
        """The newest first."""
        span = span_of(None, None, after=after, ascending=False)
        return find_along(_ATTEMPTS, [Stretch()], [], span=span, limit=limit, ascending=False, candidates=limit)


_ATTEMPTS = Table("webhookhub_delivery_attempt", ("id",))


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "outcome", "status_code", "total_ms", "number", "of_delivery")
    list_per_page = 50
    sortable_by: ClassVar = ()

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[AttemptList]:
        """No count, no offset."""
        return AttemptList

    @admin.display(description="delivery")
    def of_delivery(self, attempt: DeliveryAttempt) -> str:
        """A way to its story."""
        url = reverse("admin:deliveries_delivery_change", args=[attempt.delivery_id])
        return format_html('<a class="hub-link" href="{}">{}</a>', url, ids.show("delivery", attempt.delivery_id))
