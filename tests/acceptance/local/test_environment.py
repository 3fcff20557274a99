from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.local import environment as environment_module
from scripts.local.environment import Environment, make
from scripts.local.errors import InstallationError
from scripts.local.processes import wait_until
from scripts.local.state import CHECKOUT

MAKE = """
import os, sys
from pathlib import Path
from scripts.local import environment
lock = os.open(Path(sys.argv[1]) / "lock", os.O_RDWR | os.O_CREAT)
made = environment.Environment("run", (Path(sys.argv[2]),), Path(sys.argv[1]))
environment._make_if_needed(made, lock=lock)
assert made.is_current()
"""


def write_wheel(folder: Path) -> Path:
    """A wheel of one module, written by hand: nothing here needs a network."""
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    metadata = "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            f"{metadata}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{metadata}/RECORD", f"tiny.py,,\n{metadata}/METADATA,,\n{metadata}/WHEEL,,\n{metadata}/RECORD,,\n"
        )
    return wheel


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{write_wheel(tmp_path)}\n")
    (tmp_path / "venv").mkdir()
    return Environment("run", (requirements,), tmp_path / "venv")


def answer_in(environment: Environment) -> str:
    """What the environment's own Python finds in the installed module."""
    return subprocess.run(
        [environment.interpreter, "-c", "import tiny; print(tiny.ANSWER)"],
        env={"PYTHONPATH": str(environment.packages)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_an_environment_is_made_of_the_requirements_and_then_is_current(environment: Environment) -> None:
    assert not environment.is_current()

    make(environment)

    assert environment.is_current()
    assert answer_in(environment) == "42"


def test_changed_requirements_or_another_interpreter_make_it_outdated(environment: Environment, tmp_path: Path) -> None:
    environment.folder.mkdir()
    environment.marker.write_text(
        f'{{"requirements": "{"0" * 64}", "interpreter": "{Path(sys.executable).resolve()}"}}'
    )
    assert not environment.is_current()

    environment.marker.write_text(str(environment.made_of()).replace("'", '"'))
    assert environment.is_current()

    (environment.folder / "bin").mkdir()
    (environment.folder / "bin" / "python").symlink_to("/bin/sh")
    assert not environment.is_current()


def test_python_without_venv_installs_into_a_plain_folder(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_venv = environment.parent / "python-without-venv"
    without_venv.write_text(f'#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$3/bin" && exit 1\nexec {sys.executable} "$@"\n')
    without_venv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(without_venv))

    make(environment)

    assert environment.is_current()
    assert (environment.packages / "tiny.py").exists()
    assert answer_in(environment) == "42"


def test_python_without_venv_and_pip_is_told_what_to_install(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(InstallationError, match="apt install python3-venv"):
        make(environment)

    assert not environment.folder.exists()


def test_a_failed_installation_shows_what_pip_said_and_leaves_nothing(environment: Environment) -> None:
    environment.requirements[0].write_text("./no-such-package-1.0-py3-none-any.whl\n")

    with pytest.raises(InstallationError, match="no-such-package"):
        make(environment)

    assert not environment.folder.exists()


def test_an_interrupted_installation_leaves_nothing(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(log: Path, *, wanted: int) -> str:
        if environment.folder.exists():
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(environment_module, "_how_far", interrupt)

    with pytest.raises(KeyboardInterrupt):
        make(environment)

    assert not environment.folder.exists()


def test_two_commands_started_at_once_make_it_once(environment: Environment) -> None:
    command = [sys.executable, "-P", "-c", MAKE, str(environment.parent), str(environment.requirements[0])]
    variables = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    first, second = (
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    )
    outputs = first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]

    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert sorted(output.count(": done (") for output in outputs) == [0, 1]
    assert environment.log.read_text().count("Successfully installed tiny-1.0") == 1


def test_a_command_that_runs_keeps_its_environment_from_being_made_anew(environment: Environment) -> None:
    environment.folder.mkdir()
    environment.marker.write_text(str(environment.made_of()).replace("'", '"'))
    lock = os.open(environment.parent / "lock", os.O_RDWR | os.O_CREAT)
    environment_module._make_if_needed(environment, lock=lock)

    environment.requirements[0].write_text("# changed\n")
    command = [sys.executable, "-P", "-c", MAKE, str(environment.parent), str(environment.requirements[0])]
    waiting_log = environment.parent / "waiting"
    with waiting_log.open("w") as output:
        waiting = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, stdout=output)
    assert wait_until(lambda: "Waiting" in waiting_log.read_text(), timeout_seconds=20)
    assert environment.marker.exists()

    os.close(lock)
    assert waiting.wait(60) == 0
