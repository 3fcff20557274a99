"""One thing for many deliveries: a job that a worker does, with its progress."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.filters import LAST_OUTCOMES, MOST_ATTEMPTS, STATUS_CODE_CLASSES, DeliveryFilter
from deliveries.jobs import create_job, stop_job
from deliveries.models import Job, JobKind, JobStatus, Status
from webhookhub import ids
from webhookhub.api.bodies import Body, Choice, Moment, Text, Whole, read_body
from webhookhub.api.paging import page_by_id, read_page_request
from webhookhub.api.problems import Problem, invalid, not_found
from webhookhub.api.schema import ACCOUNT, PAGE, answers, example, example_page, page_of
from webhookhub.api.views import HubView, account_in_view, one_account
from webhookhub.errors import BadFilterError
from webhookhub.moments import iso_moment
from webhookhub.parameters import MOST_VALUES
from webhookhub.roles import Right

_TAGS = ["jobs"]


def _several(child: serializers.Field[Any, Any, Any, Any], words: str = "") -> serializers.ListField:
    return serializers.ListField(
        child=child, min_length=1, max_length=MOST_VALUES, required=False, help_text=words or "Any of these."
    )


class JobFilterBody(Body):
    """Which deliveries: the parameters of their list."""

    status = _several(Choice(Status.choices))
    webhook = Text(required=False, max_length=256, help_text="`sub_…`, or the webhook's uid.")
    eventType = _several(Text(max_length=128))
    correlationId = Text(required=False, max_length=256)
    statusCodeClass = _several(Choice(list(STATUS_CODE_CLASSES)), "Of the last answer; `none`: there was no answer.")
    statusCode = _several(Whole(min_value=100, max_value=599), "Of the last answer.")
    lastOutcome = _several(Choice(LAST_OUTCOMES), "Of the last attempt, or what it waits for that has none.")
    attemptsAtLeast = Whole(
        required=False, min_value=0, max_value=MOST_ATTEMPTS, help_text="How many there were so far."
    )
    since = Moment(required=False, help_text="Of events that were recorded from this moment on.")
    until = Moment(required=False, help_text="Of events that were recorded before this moment.")


class JobBody(Body):
    """What to do, and to which deliveries."""

    kind = Choice(
        JobKind.choices,
        help_text="`cancel`, `retry` and `move_expiry` what is outstanding; `replay` what is over: of failures, those that "
        "no other delivery of the same event made good.",
    )
    filter = JobFilterBody(help_text="A `replay` names a `status`. `{}`: all deliveries that there are now.")
    reason = Text(
        required=False,
        max_length=200,
        help_text="Kept with the job; its first 32 characters also with each delivery that it cancels.",
    )
    expiresAt = Moment(required=False, help_text="Of `move_expiry`: when the deliveries shall expire.")


class JobShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A job, and how far it has come."""

    id = serializers.CharField()
    account = serializers.CharField(allow_null=True, help_text="null: the deliveries of all accounts.")
    kind = serializers.ChoiceField(JobKind.choices)
    filter = serializers.DictField()
    reason = serializers.CharField(allow_blank=True)
    expiresAt = serializers.DateTimeField(allow_null=True, help_text="Of `move_expiry`.")
    status = serializers.ChoiceField(JobStatus.choices)
    examined = serializers.IntegerField(help_text="Deliveries that the filter found so far.")
    changed = serializers.IntegerField(help_text="Those that it could be done to.")
    position = serializers.CharField(
        allow_null=True, help_text="The last delivery that it dealt with, in the order of their ids."
    )
    error = serializers.CharField(allow_null=True, help_text="Why it failed.")
    createdAt = serializers.DateTimeField()
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)


def show_job(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.shown_id,
        "account": job.account_id and ids.show("account", job.account_id),
        "kind": job.kind,
        "filter": job.filter,
        "reason": job.reason,
        "expiresAt": job.expires_at and iso_moment(job.expires_at),
        "status": job.status,
        "examined": job.examined,
        "changed": job.changed,
        "position": job.position and ids.show("delivery", job.position),
        "error": job.error or None,
        "createdAt": iso_moment(job.created_at),
        "startedAt": job.started_at and iso_moment(job.started_at),
        "finishedAt": job.finished_at and iso_moment(job.finished_at),
    }


_FILTER = {"status": ["failed"], "webhook": "sub_0192f0c1d5a37abc8123456789abcdef", "since": "2026-01-15T09:00:00.000Z"}
_WAITING = {
    "id": "job_0192f0c1d5a37abc8123456789abcdef",
    "account": "acc_0192f0c1d5a37abc8123456789abcdef",
    "kind": "replay",
    "filter": _FILTER,
    "reason": "",
    "expiresAt": None,
    "status": "waiting",
    "examined": 0,
    "changed": 0,
    "position": None,
    "error": None,
    "createdAt": "2026-01-15T10:00:00.000Z",
    "startedAt": None,
    "finishedAt": None,
}
_RUNNING = _WAITING | {
    "status": "running",
    "examined": 12_000,
    "changed": 11_873,
    "position": "dlv_0192f0c1d5a37abc8123456789abcdef",
    "startedAt": "2026-01-15T10:00:00.020Z",
}


class JobsView(HubView):
    """An account's jobs."""

    rights: ClassVar = {"GET": Right.READ, "POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="jobs_list",
        summary="List jobs, the newest first",
        parameters=[*PAGE, ACCOUNT],
        responses=answers(200, page_of(JobShown)),
        examples=[example_page(_RUNNING)],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """A page of jobs."""
        return Response(page_by_id(_jobs(request), read_page_request(request)).show(show_job))

    @extend_schema(
        operation_id="jobs_create",
        summary="Cancel, retry or replay many deliveries, or move their expiry",
        description="A worker does it to every delivery that the filter finds and that there is now. It survives restarts.",
        request=JobBody,
        parameters=[ACCOUNT],
        responses=answers(202, JobShown, words="It will be done; the job tells how far it is."),
        examples=[
            OpenApiExample("Recover", {"kind": "replay", "filter": _FILTER}, request_only=True),
            OpenApiExample(
                "Stop",
                {"kind": "cancel", "filter": {"eventType": ["price.changed"]}, "reason": "wrong prices"},
                request_only=True,
            ),
            example("A job", _WAITING, 202),
        ],
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """Have it done."""
        account_id = one_account(request)
        body = read_body(JobBody, request.data)
        kind = JobKind(body["kind"])
        if (kind is JobKind.MOVE_EXPIRY) != ("expiresAt" in body):
            raise invalid("expiresAt", "goes with the kind move_expiry, and only with that")
        try:
            job = create_job(
                account_id,
                kind=kind,
                wanted=DeliveryFilter.from_parameters(_parameters(body["filter"])),
                reason=body.get("reason", ""),
                expires_at=body.get("expiresAt"),
            )
        except BadFilterError as error:
            raise invalid(f"filter.{error.field}", str(error)) from None
        return Response(show_job(job), status=202)


class JobView(HubView):
    """One job."""

    rights: ClassVar = {"GET": Right.READ}

    @extend_schema(
        operation_id="jobs_get",
        summary="See how far a job is",
        parameters=[ACCOUNT],
        responses=answers(200, JobShown),
        examples=[example("Halfway", _RUNNING)],
        tags=_TAGS,
    )
    def get(self, request: Request, job: str) -> Response:
        """The job as it stands."""
        return Response(show_job(_find_job(request, job)))


class StopJobView(HubView):
    """Enough of it."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="jobs_cancel",
        summary="Stop a job",
        description="It takes no further step. What it did stays done.",
        request=None,
        parameters=[ACCOUNT],
        responses=answers(200, JobShown, 409),
        examples=[example("Stopped", _RUNNING | {"status": "failed", "error": "stopped on request"})],
        tags=_TAGS,
    )
    def post(self, request: Request, job: str) -> Response:
        """Stop it. Raises a Problem (409) where it is over."""
        found = _find_job(request, job)
        if not stop_job(found.id):
            raise Problem(409, "job_over", f"The job is over: it is {found.status}.")
        return Response(show_job(_find_job(request, job)))


def _jobs(request: Request) -> QuerySet[Job]:
    account_id: UUID | None = account_in_view(request)
    return Job.objects.all() if account_id is None else Job.objects.filter(account_id=account_id)


def _find_job(request: Request, named: str) -> Job:
    """Raises BadIdError or a Problem (404)."""
    job = _jobs(request).filter(id=ids.read("job", named)).first()
    if job is None:
        raise not_found("job")
    return job


def _parameters(values: dict[str, Any]) -> dict[str, Any]:
    """The filter's fields as the list's parameters have them: moments are texts."""
    moments = {name: values[name].isoformat() for name in ("since", "until") if name in values}
    return values | moments
