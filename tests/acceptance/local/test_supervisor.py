from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from scripts.local import supervisor as supervisor_module
from scripts.local.errors import ProcessDiedError, StepError
from scripts.local.processes import read_tail, spawn, started_at, stop, wait_until
from scripts.local.roles import STOP_ORDER, Role
from scripts.local.state import CHECKOUT, StateFolder
from scripts.local.supervisor import Supervisor

PROGRAM = """
import os, signal, sys, time
name, stubborn, log = sys.argv[1:]
def end(number, frame):
    with open(log, "a") as output:
        output.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn == "yes" else end)
print("ready", flush=True)
time.sleep(600)
"""
TERM_FIRST = ((signal.SIGTERM, 10.0),)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "waits.py").write_text(PROGRAM)
    (tmp_path / "dies.py").write_text('import sys; print("the last words"); sys.exit(3)')
    return tmp_path


def environment(programs: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(programs)])}


def make_role(name: str, programs: Path, *, is_stubborn: bool = False) -> Role:
    stop_steps = ((signal.SIGTERM, 0.1),) if is_stubborn else TERM_FIRST
    stubborn = "yes" if is_stubborn else "no"
    return Role(name=name, command=("waits", name, stubborn, str(programs / "stopped")), stop_steps=stop_steps)


def is_ready(state: StateFolder, role: Role) -> bool:
    return wait_until(lambda: "ready" in read_tail(state.logs / f"{role.name}.log"), timeout_seconds=20)


def pid_of(state: StateFolder, role: Role) -> int:
    return int((state.pids / role.name).read_text().split()[0])


def test_processes_stop_in_the_order_of_stopping(
    state: StateFolder, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (make_role(name, programs) for name in ("first", "second", "third"))
    monkeypatch.setattr(supervisor_module, "STOP_ORDER", ((second,), (third,), (first,)))

    with Supervisor(state, environment=environment(programs)) as running:
        for role in (first, second, third):
            running.start(role)
            assert is_ready(state, role)
        running.check()

    assert (programs / "stopped").read_text().split() == ["second", "third", "first"]
    assert list(state.pids.iterdir()) == []


def test_a_process_that_will_not_stop_is_killed(
    state: StateFolder, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = make_role("stubborn", programs, is_stubborn=True)
    monkeypatch.setattr(supervisor_module, "STOP_ORDER", ((role,),))

    with Supervisor(state, environment=environment(programs)) as running:
        running.start(role)
        assert is_ready(state, role)
        pid = pid_of(state, role)

    assert not started_at(pid)


def test_a_process_that_died_is_reported_with_its_last_words(state: StateFolder, programs: Path) -> None:
    def check() -> bool:
        running.check()
        return False

    with Supervisor(state, environment=environment(programs)) as running:
        running.start(Role(name="dies", command=("dies",), stop_steps=TERM_FIRST))
        with pytest.raises(ProcessDiedError, match=r"(?s)dies ended unexpectedly \(code 3\).*the last words"):
            wait_until(check, timeout_seconds=20)


def test_a_process_left_by_a_killed_supervisor_is_stopped_by_the_next_one(
    state: StateFolder, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = make_role("left", programs)
    monkeypatch.setattr(supervisor_module, "STOP_ORDER", ((role,),))
    killed = Supervisor(state, environment=environment(programs))
    killed.start(role)
    assert is_ready(state, role)
    pid = pid_of(state, role)

    with Supervisor(state, environment=environment(programs)):
        assert not started_at(pid)
    killed.__exit__()


def test_a_remembered_pid_that_is_another_process_by_now_is_left_alone(
    state: StateFolder, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = make_role("web", programs)
    monkeypatch.setattr(supervisor_module, "STOP_ORDER", ((role,),))
    bystander = spawn([sys.executable, "-c", "input()"], death_signal=signal.SIGKILL, log=None, stdin=-1)
    (state.pids / role.name).write_text(f"{bystander.pid} 12345")

    with Supervisor(state, environment=environment(programs)):
        assert bystander.poll() is None

    assert bystander.stdin is not None
    bystander.stdin.close()
    stop(bystander, steps=())


def test_a_failed_step_names_its_code_and_its_last_words(state: StateFolder, programs: Path) -> None:
    with (
        Supervisor(state, environment=environment(programs)) as running,
        pytest.raises(StepError, match=r"(?s)Trying: failed with code 3.*the last words"),
    ):
        running.run_step("Trying", "-m", "dies")


def test_every_role_has_its_place_in_the_order_of_stopping() -> None:
    names = [role.name for together in STOP_ORDER for role in together]

    assert sorted(names) == ["beat", "deliveries", "receiver", "web", "worker"]
