"""How does a subscription do, and what is done about it? Its health above what was agreed on."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from deliveries.admin.health import Health, read_health
from deliveries.admin.story import Button
from deliveries.admin.webhook_deeds import DEEDS, Kind, NotDone, WebhookDeed, do, form_of
from deliveries.admin.words import describe_circuit
from subscriptions.admin.webhooks import SubscriptionAdmin, describe_state
from subscriptions.models import Subscription
from webhookhub.admin.charts import BAD, GOOD, STACKED_BARS, to_chart
from webhookhub.admin.journal import note, read_notes

LIST = "admin:subscriptions_subscription_changelist"
PAGE = "admin:subscriptions_subscription_change"
ACT = "admin:subscriptions_subscription_act"
COLOURS = {"well": "success", "troubled": "warning", "not responding": "danger", "quiet": ""}


@admin.register(Subscription)
class WebhookAdmin(SubscriptionAdmin):
    change_form_outer_before_template = "webhookhub/admin/webhook_above.html"
    actions = ("enable", "disable", "pause", "resume")

    def get_urls(self) -> list[Any]:
        """With the page that asks for the reason of a deed."""
        view = self.admin_site.admin_view(self.act)
        return [path("act/<slug:kind>/", view, name="subscriptions_subscription_act"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its health, and what may be done."""
        subscription = self.get_object(request, object_id)
        context = {} if subscription is None else _show(subscription, request)
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})
        return answer

    @admin.action(description="Enable, and release what was held", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse:
        """Ask why."""
        return _ask(Kind.ENABLE, queryset)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse:
        """Ask why."""
        return _ask(Kind.DISABLE, queryset)

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse:
        """Ask why."""
        return _ask(Kind.PAUSE, queryset)

    @admin.action(description="Resume, and release what was held", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse:
        """Ask why."""
        return _ask(Kind.RESUME, queryset)

    def act(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Ask why, and do it. Raises Http404, PermissionDenied."""
        deed = _read_deed(kind)
        if not request.user.has_perm(deed.permission):
            raise PermissionDenied
        found = _read_meant(request, deed)
        form = form_of(deed.kind, found[0], request.POST if request.method == "POST" else None)
        back = reverse(PAGE, args=[found[0].pk]) if len(found) == 1 else reverse(LIST)
        if form.is_valid():
            for subscription in found:
                _do(request, deed, subscription, form.cleaned_data)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": deed.title,
            "opts": Subscription._meta,
            "deed": deed,
            "webhooks": found,
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "webhookhub/admin/webhook_act.html", context)


def act_url(kind: Kind, subscription_ids: list[UUID]) -> str:
    """Where this is asked about these webhooks."""
    return reverse(ACT, args=[kind.value], query={"ids": ",".join(one.hex for one in subscription_ids)})


def _ask(kind: Kind, queryset: QuerySet[Subscription]) -> HttpResponse:
    return HttpResponseRedirect(act_url(kind, sorted(queryset.values_list("id", flat=True))))


def _read_deed(kind: str) -> WebhookDeed:
    try:
        return DEEDS[Kind(kind)]
    except ValueError:
        raise Http404 from None


def _read_meant(request: HttpRequest, deed: WebhookDeed) -> list[Subscription]:
    try:
        identifiers = [UUID(text) for text in request.GET.get("ids", "").split(",")]
    except ValueError:
        raise Http404 from None
    found = list(Subscription.objects.filter(id__in=identifiers).select_related("account", "profile"))
    if not found or (len(found) > 1 and not deed.is_for_several):
        raise Http404
    return found


def _do(request: HttpRequest, deed: WebhookDeed, subscription: Subscription, said: dict[str, Any]) -> None:
    addressee = f" ({said['to']})" if "to" in said else ""
    try:
        # What is done and who did it are on record together; but nobody waits for another machine in a transaction.
        with nullcontext() if deed.kind in (Kind.TEST, Kind.NOTIFY) else transaction.atomic():
            more = do(deed.kind, subscription, said)
            note(request, [subscription], deed.done + addressee, reason=said["reason"])
    except NotDone as error:
        messages.error(request, str(error))
        return
    messages.success(request, f"{deed.done}{addressee}.")
    if more:
        messages.warning(request, more)


def _show(subscription: Subscription, request: HttpRequest) -> dict[str, Any]:
    health = read_health(subscription)
    return {
        "webhook": subscription,
        "health": health,
        "health_colour": COLOURS[health.word],
        "state": describe_state(subscription),
        "circuit": describe_circuit(getattr(subscription, "circuit", None)),
        "chart": _chart(health),
        "chart_options": STACKED_BARS,
        "buttons": _buttons(subscription, request),
        "notes": read_notes(subscription),
    }


def _chart(health: Health) -> str:
    hours = health.hours
    return to_chart(
        [f"{hour.starts_at:%H}:00" for hour in hours],
        {
            "accepted": (GOOD, [hour.accepted for hour in hours]),
            "not accepted": (BAD, [hour.attempts - hour.accepted for hour in hours]),
        },
    )


def _buttons(subscription: Subscription, request: HttpRequest) -> list[Button]:
    kinds = [
        Kind.NOTIFY,
        Kind.TEST,
        Kind.RESUME if subscription.paused_at else Kind.PAUSE,
        Kind.DISABLE if subscription.enabled else Kind.ENABLE,
        Kind.ROTATE,
    ]
    deeds = [DEEDS[kind] for kind in kinds if request.user.has_perm(DEEDS[kind].permission)]
    return [
        Button(deed.title, act_url(deed.kind, [subscription.id]), "danger" if deed.kind is Kind.DISABLE else "default")
        for deed in deeds
    ]
