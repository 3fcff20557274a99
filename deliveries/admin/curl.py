"""How is a request repeated by hand? As a command for a shell; what is masked in the request is masked there."""

from __future__ import annotations

from shlex import quote

from deliveries.transport import Request


def to_curl(request: Request) -> str:
    """A command of one option a line, for curl and any POSIX shell. Pure."""
    options = [f"--header {quote(f'{name}: {value}' if value else f'{name};')}" for name, value in request.headers]
    body = quote(request.body.decode(errors="replace"))
    lines = [f"curl --request POST {quote(request.url)}", *options, f"--max-time {request.timeout_seconds:g}"]
    return " \\\n  ".join([*lines, f"--data-raw {body}"])
