"""Can this machine do the work? The versions of what is installed, and the connections that a process may have open."""

from __future__ import annotations

import platform
import resource
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from deliveries.doctor.finding import Finding, Severity, parse_version
from deliveries.transport import TransportOptions, libcurl_version
from webhookhub.conf import hub_settings

AREA = "machine"
# The least version of each package, and what older ones do.
LEAST = (
    ("Django", "5.2", "the hub is written for 5.2"),
    (
        "celery",
        "5.7.0",
        "older ones wait for a broker for as long as it takes, and lose their connection to RabbitMQ 4",
    ),
    ("kombu", "5.7.0", "older ones may take no more messages after a broker has been away"),
    ("redis", "6.4", "kombu 5.7 works with no older one"),
    ("django-celery-beat", "2.8", "older ones do not know Django 5.2"),
    ("psycopg2-binary", "2.9", "older ones do not know PostgreSQL 14"),
)
# A heap overflow in its SOCKS5 proxies (CVE-2023-38545) was mended in it.
LEAST_LIBCURL = "8.4.0"
# Files, logs, the database, the broker and workers' pipes, besides the connections to receivers.
OTHER_DESCRIPTORS = 200


def examine_machine() -> list[Finding]:
    """What this process sees; a worker's container may have other limits."""
    outdated = [*_packages(), *_libcurl()]
    running = f"Python {platform.python_version()}, " + ", ".join(
        f"{name} {found}" for name, _, _ in LEAST if (found := _installed(name)) is not None
    )
    return [*outdated, *([] if outdated else [Finding(area=AREA, severity=Severity.OK, what=running)]), _descriptors()]


def _packages() -> Iterator[Finding]:
    for name, least, otherwise in LEAST:
        found = _installed(name)
        if found is not None and parse_version(found) < parse_version(least):
            what = f"{name} {found} is older than {least}: {otherwise}"
            remedy = "pip install --requirement requirements.txt"
            yield Finding(area=AREA, severity=Severity.ERROR, what=what, remedy=remedy)


def _installed(name: str) -> str | None:
    """Its version; None where the same package came under another name, as psycopg2 without wheels does."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _libcurl() -> Iterator[Finding]:
    if hub_settings().transport != "curl":
        return
    found = libcurl_version()
    if parse_version(found) < parse_version(LEAST_LIBCURL):
        what = f"libcurl {found} is older than {LEAST_LIBCURL}: proxies can write beyond its memory"
        remedy = "install pycurl's wheel, which brings its own libcurl, or set WEBHOOKHUB_TRANSPORT=requests"
        yield Finding(area=AREA, severity=Severity.ERROR, what=what, remedy=remedy)


def _descriptors() -> Finding:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = TransportOptions().max_connections + OTHER_DESCRIPTORS
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        what = f"a process may have {allowed} files and connections open; a delivery worker may want {needed}"
        remedy = f"ulimit -n {needed}, LimitNOFILE={needed} in a systemd unit, or `ulimits: nofile` of the container"
        return Finding(area=AREA, severity=Severity.WARNING, what=what, remedy=remedy)
    return Finding(area=AREA, severity=Severity.OK, what=f"files and connections a process may have open: {allowed}")
