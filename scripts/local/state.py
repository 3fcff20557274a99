"""Where does a hub on this machine keep its data, passwords and logs, and is one up there?"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import AlreadyRunningError, NotRunningError, StateError

CHECKOUT = Path(__file__).resolve().parents[2]
PASSWORD_BYTES = 24


def default_state_folder(environment: Mapping[str, str]) -> Path:
    """`WEBHOOKHUB_STATE`, else a folder for this checkout, so that two clones do not share a hub.

    Root's lies outside /root, where the servers' account could not reach it.
    """
    if chosen := environment.get("WEBHOOKHUB_STATE"):
        return Path(chosen).expanduser().resolve()
    name = f"{CHECKOUT.name}-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
    if os.geteuid() == 0:
        return Path("/var/lib/webhookhub") / name
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "webhookhub" / name


@dataclass(frozen=True, slots=True)
class StateFolder:
    """One hub's data, passwords and logs. Everything in it that is secret has mode 0600."""

    path: Path

    def make(self) -> None:
        """Make the folder if it is not there. Raises StateError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Others may pass through (the servers' account must) but not look around.
            self.path.chmod(0o711)
        except OSError as error:
            raise StateError(f"{error}. Name a folder of your own for the hub's data in WEBHOOKHUB_STATE.") from error

    @property
    def logs(self) -> Path:
        return self._private_folder("logs")

    @property
    def pids(self) -> Path:
        return self._private_folder("pids")

    @property
    def binaries(self) -> Path:
        """Copies of server binaries, for an account that cannot reach the environment."""
        folder = self.path / "binaries"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return folder

    def secret(self, name: str, *, draw: Callable[[], str] = lambda: secrets.token_hex(PASSWORD_BYTES)) -> str:
        """The secret of this name: drawn once, then the same for as long as the folder lives."""
        file = self._private_folder("secrets") / name
        if not file.exists():
            write_private(file, draw())
        return file.read_text()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises AlreadyRunningError, naming the one that holds it."""
        self.make()
        with self._lock_file.open("a+") as lock:
            if not _try_lock(lock.fileno()):
                raise AlreadyRunningError(self._running_text())
            write_private(self._holder_file, str(os.getpid()))
            try:
                yield
            finally:
                self._holder_file.unlink(missing_ok=True)
                self._hub_file.unlink(missing_ok=True)

    def announce_hub(self, environment: Mapping[str, str]) -> None:
        """Write down the environment of the hub that is up here, for `scripts/manage`."""
        write_private(self._hub_file, json.dumps(dict(environment), indent=2))

    def announced_hub(self) -> dict[str, str]:
        """The environment of the hub that is up here. Raises NotRunningError."""
        # A file without the lock was left by a hub that was killed.
        if self._hub_file.exists() and self._is_locked():
            environment: dict[str, str] = json.loads(self._hub_file.read_text())
            return environment
        raise NotRunningError(f"No hub is up in {self.path}. Start one with scripts/run, and keep it running.")

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def _holder_file(self) -> Path:
        return self.path / "holder.pid"

    @property
    def _hub_file(self) -> Path:
        return self.path / "hub.json"

    def _private_folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _is_locked(self) -> bool:
        if not self._lock_file.exists():
            return False
        with self._lock_file.open("a+") as lock:
            return not _try_lock(lock.fileno())

    def _running_text(self) -> str:
        holder = self._holder_file.read_text() if self._holder_file.exists() else "unknown"
        url = json.loads(self._hub_file.read_text())["WEBHOOKHUB_BASE_URL"] if self._hub_file.exists() else ""
        return (
            f"WebhookHub is already running in {self.path} (process {holder}{', ' + url if url else ''}). "
            "Stop it with Ctrl-C in its terminal, or name another folder in WEBHOOKHUB_STATE."
        )


@contextlib.contextmanager
def temporary_state() -> Iterator[StateFolder]:
    """A state folder for one command, on disk and where every account can reach it; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="webhookhub-", dir="/var/tmp") as folder:
        yield StateFolder(Path(folder))


def write_private(file: Path, text: str) -> None:
    """Write `text` with mode 0600, whole or not at all."""
    descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with open(descriptor, "w") as output:
        output.write(text)
    Path(unfinished).rename(file)


def _try_lock(descriptor: int) -> bool:
    try:
        # The kernel lets go of it when the process ends, however it ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
