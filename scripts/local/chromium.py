"""Where is the Chromium that the tests open the hub's pages in? Debian's own, installed where that can be done unasked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.local.console import Progress
from scripts.local.state import CHECKOUT

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Where tests open pages.
FOLDERS = (CHECKOUT / "tests" / "acceptance" / "admin", CHECKOUT / "tests" / "acceptance" / "local")
APT_SECONDS = 300


def find_chromium() -> str | None:
    """The path of a browser that is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def open_pages(arguments: Sequence[str], *, folder: Path) -> bool:
    """Whether tests that open pages are among those that pytest runs with these arguments, in this folder."""
    paths = [path for text in arguments if (path := folder / text.partition("::")[0]).exists()]
    return not paths or any(_meet(path.resolve(), tests) for path in paths for tests in FOLDERS)


def install_chromium() -> None:
    """Install it where apt is there and we are root. Where that fails, the tests say that they were skipped, and why."""
    if find_chromium() is not None or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    progress = Progress("Installing Chromium for the tests of pages")
    is_there = _apt("update") and _apt("install", "--yes", "--no-install-recommends", "chromium")
    progress.done("ok" if is_there else "failed")


def _meet(path: Path, tests: Path) -> bool:
    return path == tests or tests in path.parents or path in tests.parents


def _apt(*arguments: str) -> bool:
    try:
        done = subprocess.run(
            ["apt-get", "--quiet", *arguments],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
