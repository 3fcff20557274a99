"""The image holds all that the roles need, and runs as nobody in particular."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.local.state import CHECKOUT

INSTRUCTIONS = [line.split() for line in (CHECKOUT / "Dockerfile").read_text().splitlines() if line[:1].isalpha()]
# From the checkout, and not from the stage that has the packages.
COPIED = [words[1:] for words in INSTRUCTIONS if words[0] == "COPY" and not words[1].startswith("--from=")]


def test_the_copied_files_are_a_whole_hub(tmp_path: Path) -> None:
    for source, target in COPIED:
        original = CHECKOUT / source
        copy = shutil.copytree if original.is_dir() else shutil.copy
        copy(original, tmp_path / target)
    started = subprocess.run(
        # What celery and granian import when they start, and all that Django finds.
        [sys.executable, "-c", "import config.asgi, config.celery; config.celery.app.loader.import_default_modules()"],
        cwd=tmp_path,
        # Without the path of the checkout, where everything would be found.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | installed_packages(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr


def installed_packages() -> dict[str, str]:
    """PYTHONPATH without the checkout: where packages are if Python makes no virtual environments."""
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return {"PYTHONPATH": os.pathsep.join(folder for folder in folders if Path(folder) != CHECKOUT)}


def test_what_the_image_copies_is_sent_to_its_builder() -> None:
    sent = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source for source, _ in COPIED} == sent


def test_the_image_does_not_run_as_root() -> None:
    (user,) = [words[1] for words in INSTRUCTIONS if words[0] == "USER"]
    assert int(user) > 0


def test_the_image_leaves_behind_what_only_its_making_needs() -> None:
    stages = (CHECKOUT / "Dockerfile").read_text().split("\nFROM ")
    assert len(stages) == 3, "two stages and what stands before them"
    assert "pip install" in stages[1]
    assert "pip" not in stages[2]


def test_the_image_tells_whether_its_web_server_lives() -> None:
    assert "HEALTHCHECK" in {words[0] for words in INSTRUCTIONS}
