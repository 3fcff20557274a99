"""What can keep a measurement from being made? Each error's text says what to do about it."""

from __future__ import annotations

from scripts.local.errors import LocalError


class BenchmarkError(LocalError):
    """A measurement could not be made."""


class BenchmarkRunning(BenchmarkError):
    """Another benchmark uses the same servers."""


class BrokerInUse(BenchmarkError):
    """The broker has no place that is ours alone."""


class ServerMissing(BenchmarkError):
    """A server that the benchmark needs cannot be reached, or refuses what it needs."""


class ReceiverNotStarted(BenchmarkError):
    """The receiver did not answer."""


class WorkerDied(BenchmarkError):
    """A worker ended in the middle of a measurement."""


class TookTooLong(BenchmarkError):
    """A scenario did not come to its end in time."""


class WrongResult(BenchmarkError):
    """The work was done, but not as it should have been: its speed means nothing."""


class WebServerNotStarted(BenchmarkError):
    """The web server did not answer."""


class PublisherFailed(BenchmarkError):
    """Requests to publish were refused, or did not come to their end."""
