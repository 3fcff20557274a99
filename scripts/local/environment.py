"""Which Python packages does a command run with, and how are they installed where nothing but Python is?"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scripts.local.binaries import wheels_exist
from scripts.local.console import Progress, say
from scripts.local.errors import InstallationError
from scripts.local.processes import read_tail, spawn, stop
from scripts.local.state import CHECKOUT, write_private

ENVIRONMENTS = CHECKOUT / ".venv"
POLL_SECONDS = 0.2
PIP_IS_MISSING = """\
{python} has neither venv nor pip. Install one of them and try again:
  Debian, Ubuntu: apt install python3-venv
  Fedora, RHEL:   dnf install python3-pip
  openSUSE:       zypper install python3{version}-pip
  elsewhere:      {python} -m ensurepip, or see https://pip.pypa.io/en/stable/installation/"""
PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder of installed packages that is either whole, with a marker that says of what, or not there."""

    name: str
    requirements: tuple[Path, ...]
    parent: Path = ENVIRONMENTS

    @property
    def folder(self) -> Path:
        return self.parent / self.name

    @property
    def packages(self) -> Path:
        """Where the packages are if no virtual environment could be made; then PYTHONPATH names this folder."""
        return self.folder / "packages"

    @property
    def interpreter(self) -> Path:
        in_environment = self.folder / "bin" / "python"
        return in_environment if in_environment.exists() else Path(sys.executable)

    @property
    def marker(self) -> Path:
        return self.folder / "made-of.json"

    @property
    def log(self) -> Path:
        """What pip said."""
        return self.parent / f"{self.name}.log"

    def is_current(self) -> bool:
        """Whether it is whole, made of today's requirements, and its interpreter is still the one it was made with."""
        return self.marker.exists() and json.loads(self.marker.read_text()) == self.made_of()

    def made_of(self) -> dict[str, str]:
        """What the marker holds."""
        digest = hashlib.sha256()
        for file in self.requirements:
            digest.update(file.read_bytes())
        return {"requirements": digest.hexdigest(), "interpreter": str(self.interpreter.resolve())}


_LOCAL = (CHECKOUT / "requirements-local.txt",) if wheels_exist() else ()
RUN = Environment("run", (CHECKOUT / "requirements.txt", *_LOCAL))
_EXTRAS = (CHECKOUT / "requirements-otel.txt", CHECKOUT / "requirements-dev.txt")
DEVELOPMENT = Environment("dev", (*RUN.requirements, *_EXTRAS))


def enter(environment: Environment) -> None:
    """Return at once inside `environment`; elsewhere make it if need be, and start the running command again in it.

    Raises InstallationError.
    """
    if Path(sys.prefix) == environment.folder or str(environment.packages) in sys.path:
        return
    environment.parent.mkdir(exist_ok=True)
    # Kept open through exec: as long as the command runs, nobody makes its environment anew.
    lock = os.open(environment.parent / f"{environment.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(lock, True)
    _make_if_needed(environment, lock=lock)
    _start_again(environment)


def _make_if_needed(environment: Environment, *, lock: int) -> None:
    """Return with a shared lock on a current environment; only a holder of the exclusive one may make it."""
    is_waiting = False
    while not (_try_lock(lock, fcntl.LOCK_SH) and environment.is_current()):
        if _try_lock(lock, fcntl.LOCK_EX):
            if not environment.is_current():
                make(environment)
        elif not is_waiting:
            is_waiting = True
            say(f"Waiting: another command makes or uses {environment.folder}, which has to be made anew.")
        else:
            time.sleep(POLL_SECONDS)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_again(environment: Environment) -> NoReturn:
    paths = [str(CHECKOUT)]
    if environment.packages.exists():
        paths.append(str(environment.packages))
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    module = sys.modules["__main__"].__spec__
    assert module is not None
    python = str(environment.interpreter)
    # -P: a folder named `config` where the user stands must not be taken for ours.
    os.execve(python, [python, "-P", "-m", module.name, *sys.argv[1:]], variables)  # noqa: S606 - our own Python, no shell wanted


def make(environment: Environment) -> None:
    """Make the environment anew. Interrupted or failed, it leaves nothing. Raises InstallationError."""
    remove(environment)
    environment.log.unlink(missing_ok=True)
    progress = Progress(f"Installing packages into {environment.folder}")
    try:
        _install(environment, progress, pip=_make_folder(environment, progress))
        write_private(environment.marker, json.dumps(environment.made_of()))
    except BaseException:
        remove(environment)
        raise
    progress.done()


def remove(environment: Environment) -> None:
    if environment.folder.exists():
        shutil.rmtree(environment.folder)


def _make_folder(environment: Environment, progress: Progress) -> list[str]:
    """Make a virtual environment, or a plain folder where Python came without that. Returns the pip for it."""
    if _run([sys.executable, "-m", "venv", str(environment.folder)], environment, progress) == 0:
        return [str(environment.interpreter), "-m", "pip", "install"]
    # Debian's and Ubuntu's Python, for example, comes without what `venv` needs, and leaves half of one behind.
    remove(environment)
    if _run([sys.executable, "-m", "pip", "--version"], environment, progress) == 0:
        environment.folder.mkdir()
        return [sys.executable, "-m", "pip", "install", "--target", str(environment.packages)]
    raise InstallationError(PIP_IS_MISSING.format(python=sys.executable, version=f"{sys.version_info.minor}"))


def _install(environment: Environment, progress: Progress, *, pip: list[str]) -> None:
    for file in environment.requirements:
        pip += ["--requirement", str(file)]
    if _run([*pip, *PIP_OPTIONS], environment, progress) != 0:
        progress.done("failed")
        raise InstallationError(
            f"pip could not install the packages. The end of {environment.log}:\n{read_tail(environment.log)}"
        )


def _run(command: list[str], environment: Environment, progress: Progress) -> int:
    """Run one step of making the environment, its output going to the log, and show how far it is."""
    # pip must not take the checkout's own folders for installed packages.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = spawn(command, death_signal=signal.SIGKILL, log=environment.log, environment=variables)
    wanted = sum(line[:1].isalnum() for file in environment.requirements for line in file.read_text().splitlines())
    try:
        while process.poll() is None:
            progress.show(_how_far(environment.log, wanted=wanted))
            time.sleep(POLL_SECONDS)
    finally:
        stop(process, steps=())
    return process.returncode


def _how_far(log: Path, *, wanted: int) -> str:
    """What pip is at, read from its log: it names each package as it collects it, then installs all of them."""
    lines = log.read_text(errors="replace").splitlines()
    if any(line.startswith("Installing collected packages") for line in lines):
        return "unpacking"
    collected = [line.split()[1] for line in lines if line.startswith("Collecting ")]
    return f"{len(collected)} of {max(wanted, len(collected))}, {collected[-1]}" if collected else "preparing"
