"""The page between a button and its deed: to which deliveries, why, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from deliveries.admin.deeds import DEEDS, Deed, DeedForm, do, form_of
from deliveries.admin.wanted import Wanted, read_wanted
from deliveries.jobs import create_job
from deliveries.models import Delivery, Job, JobKind
from webhookhub import ids
from webhookhub.admin.journal import note
from webhookhub.errors import BadFilterError

LIST = "admin:deliveries_delivery_changelist"
ACT = "admin:deliveries_delivery_act"
IDS = "ids"


class Meant(NamedTuple):
    """Which deliveries: some by their ids, or all that a filter finds."""

    ids: list[UUID]
    wanted: Wanted | None


def act(model_admin: ModelAdmin[Delivery], request: HttpRequest, kind: str) -> HttpResponse:
    """Ask why, and do it. Raises Http404, PermissionDenied."""
    deed = _read_deed(kind)
    if not request.user.has_perm(deed.permission):
        raise PermissionDenied
    try:
        meant = _read_meant(request)
    except BadFilterError as error:
        messages.error(request, f"{error.field}: {error}")
        return HttpResponseRedirect(reverse(LIST))
    form = form_of(deed.kind)(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _do(request, deed, meant, form)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": deed.title,
        "opts": Delivery._meta,
        "deed": deed,
        "meant": meant,
        "filter": _describe(meant.wanted),
        "form": form,
        "back": _back(meant),
    }
    return TemplateResponse(request, "webhookhub/admin/act.html", context)


def act_url(kind: JobKind, delivery_ids: Sequence[UUID]) -> str:
    """Where this is asked about these deliveries."""
    return f"{reverse(ACT, args=[kind.value])}?{IDS}={','.join(identifier.hex for identifier in delivery_ids)}"


def _read_deed(kind: str) -> Deed:
    try:
        return DEEDS[JobKind(kind)]
    except ValueError:
        raise Http404 from None


def _read_meant(request: HttpRequest) -> Meant:
    """Without ids, all that the list's parameters find. Raises BadFilterError."""
    if IDS not in request.GET:
        return Meant([], read_wanted(request.GET.dict(), now=timezone.now()))
    try:
        return Meant([UUID(text) for text in request.GET[IDS].split(",")], None)
    except ValueError:
        raise BadFilterError(IDS, "are none of deliveries") from None


def _do(request: HttpRequest, deed: Deed, meant: Meant, form: DeedForm) -> HttpResponse:
    said = form.cleaned_data
    if meant.wanted is not None:
        return _have_it_done(request, deed, meant.wanted, said)
    # What is done and who did it are on record together, or neither is.
    with transaction.atomic():
        result = do(deed.kind, meant.ids, said)
        note(request, list(Delivery.objects.filter(id__in=result.changed)), deed.done, reason=said["reason"])
    if result.changed:
        messages.success(request, f"{deed.done}: {_count(len(result.changed))}.")
    for objection, count in result.refused.items():
        messages.warning(
            request, f"Left as {'it is' if count == 1 else 'they are'}, {_count(count)}: {objection.words}"
        )
    return HttpResponseRedirect(_back(meant))


def _have_it_done(request: HttpRequest, deed: Deed, wanted: Wanted, said: dict[str, Any]) -> HttpResponse:
    """By a job, whose page shows how far it is."""
    try:
        with transaction.atomic():
            job = create_job(
                wanted.account_id,
                kind=deed.kind,
                wanted=wanted.filter,
                reason=said["reason"],
                expires_at=said.get("expires_at"),
            )
            note(request, [job], f"Began, for {_describe(wanted)}", reason=said["reason"])
    except BadFilterError as error:
        messages.error(request, f"{error.field}: {error}")
        return HttpResponseRedirect(reverse(LIST))
    return HttpResponseRedirect(reverse("admin:deliveries_job_change", args=[job.id]))


def _back(meant: Meant) -> str:
    """Where whoever asked came from."""
    if len(meant.ids) == 1:
        return reverse("admin:deliveries_delivery_change", args=meant.ids)
    return reverse(LIST)


def describe_job(job: Job) -> str:
    """Which deliveries a job deals with."""
    return describe_filter(job.filter, account=job.account.name if job.account is not None else None)


def describe_filter(parameters: dict[str, Any], *, account: str | None) -> str:
    """The parameters of a filter on one line."""
    shown = {name: value if isinstance(value, list) else [value] for name, value in parameters.items()}
    parts = [f"{name} {', '.join(map(str, values))}" for name, values in shown.items()]
    return "; ".join([f"account {account}" if account else "all accounts", *parts])


def _describe(wanted: Wanted | None) -> str:
    if wanted is None:
        return ""
    account = None if wanted.account_id is None else ids.show("account", wanted.account_id)
    return describe_filter(wanted.filter.to_json(), account=account)


def _count(number: int) -> str:
    return "1 delivery" if number == 1 else f"{number} deliveries"
