"""How far is a job, and who began it, and why? Seen as it goes on, and stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from deliveries.admin.acting import describe_job
from deliveries.jobs import stop_job
from deliveries.models import Job, JobStatus
from webhookhub import ids
from webhookhub.admin.hub_admin import ReadOnlyAdmin
from webhookhub.admin.journal import note, read_notes
from webhookhub.admin.labels import label
from webhookhub.conf import hub_settings
from webhookhub.moments import parse_moment

STATUS_COLOURS = {"waiting": "info", "running": "info", "done": "success", "failed": "danger"}
_UNFINISHED = (JobStatus.WAITING, JobStatus.RUNNING)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ("what", "shown_status", "account", "changed", "examined", "reason", "created_at")
    list_filter = ("kind", "status")
    list_select_related = ("account",)
    ordering: ClassVar = ["-id"]
    sortable_by: ClassVar = ()

    def get_urls(self) -> list[Any]:
        """With the part of a job's page that changes, and the button that stops it."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:job_id>/progress/", view(self.progress), name="deliveries_job_progress"),
            path("<uuid:job_id>/stop/", view(self.stop), name="deliveries_job_stop"),
            *super().get_urls(),
        ]

    @admin.display(description="job")
    def what(self, job: Job) -> str:
        """Its kind."""
        return str(job.get_kind_display())

    @label("status", STATUS_COLOURS)
    def shown_status(self, job: Job) -> str:
        """Where it stands."""
        return str(job.status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one job. Raises Http404, PermissionDenied."""
        job = self._find(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": str(job),
            "opts": Job._meta,
            "original": job,
            "notes": read_notes(job),
            "describes": describe_job(job),
            "may_stop": self._may_stop(request),
            **_progress(job),
        }
        return TemplateResponse(request, "webhookhub/admin/job.html", context)

    def progress(self, request: HttpRequest, job_id: str) -> HttpResponse:
        """What changes of it, for the page that asks again and again. Raises Http404, PermissionDenied."""
        job = self._find(request, job_id)
        context = {"original": job, "may_stop": self._may_stop(request), **_progress(job)}
        return TemplateResponse(request, "webhookhub/admin/job_progress.html", context)

    def stop(self, request: HttpRequest, job_id: str) -> HttpResponse:
        """Let it take no further step. Raises Http404, PermissionDenied."""
        job = self._find(request, job_id)
        if not self._may_stop(request) or request.method != "POST":
            raise PermissionDenied
        if stop_job(job.id):
            note(request, [job], "Stopped")
            messages.success(request, "The job takes no further step. What it did stays done.")
        return HttpResponseRedirect(reverse("admin:deliveries_job_change", args=[job.id]))

    def _may_stop(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deliveries.change_job")

    def _find(self, request: HttpRequest, job_id: str) -> Job:
        jobs: QuerySet[Job] = Job.objects.select_related("account")
        job: Job = get_object_or_404(jobs, id=job_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        return job


def _progress(job: Job) -> dict[str, Any]:
    return {
        "is_over": job.status not in _UNFINISHED,
        "colour": STATUS_COLOURS[job.status],
        "percent": estimate_percent(job, begins=_begins(job)),
        "came_to": job.position and ids.moment_of(job.position),
    }


def _begins(job: Job) -> datetime:
    since = job.filter.get("since")
    return parse_moment(since) if since else job.created_at - timedelta(days=hub_settings().retention_days)


def estimate_percent(job: Job, *, begins: datetime) -> int:
    """How much of the time that it goes through lies behind it: how many deliveries there are, nobody has counted."""
    if job.status == JobStatus.DONE:
        return 100
    if job.position is None:
        return 0
    share = (ids.moment_of(job.position) - begins) / (job.created_at - begins)
    return round(100 * min(max(share, 0.0), 1.0))
