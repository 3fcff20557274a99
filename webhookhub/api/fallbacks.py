"""What answers where no view does? Under `/api/` problem documents, elsewhere Django's own pages.

For a project's root URLconf: `handler404 = "webhookhub.api.fallbacks.not_found"`, and the same for 400 and 500.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import defaults

from webhookhub.api.problems import Problem, json_problem

_UNDER = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """A host that is not ours, and the like."""
    return _answer(
        request, Problem(400, "bad_request", "The request is not understood."), defaults.bad_request, exception
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """No route leads there."""
    problem = Problem(404, "no_such_route", "There is no such path; /api/docs lists all, none with a slash at its end.")
    return _answer(request, problem, defaults.page_not_found, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """A mistake of ours: the log has it, the answer nothing of it."""
    problem = Problem(500, "internal", "That is a mistake of the hub's; its log says more.")
    return _answer(request, problem, defaults.server_error)


def _answer(
    request: HttpRequest, problem: Problem, page: Callable[..., HttpResponseBase], *arguments: Exception
) -> HttpResponseBase:
    if request.path_info.startswith(_UNDER):
        return json_problem(problem)
    return page(request, *arguments)
