from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from scripts.local import state as state_module
from scripts.local.errors import NotRunningError, StateError
from scripts.local.state import StateFolder, default_state_folder


def test_webhookhub_state_names_the_folder(tmp_path: Path) -> None:
    assert default_state_folder({"WEBHOOKHUB_STATE": str(tmp_path / "here")}) == tmp_path / "here"


def test_two_clones_have_two_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    first = default_state_folder({})
    monkeypatch.setattr(state_module, "CHECKOUT", Path("/elsewhere") / state_module.CHECKOUT.name)

    assert default_state_folder({}) != first
    assert default_state_folder({}).parent == first.parent


def test_an_ordinary_users_folder_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert default_state_folder({"XDG_STATE_HOME": "/home/alice/.state"}).parent == Path(
        "/home/alice/.state/webhookhub"
    )
    assert default_state_folder({}).parent == Path.home() / ".local/state/webhookhub"


def test_roots_folder_lies_outside_its_closed_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert default_state_folder({"XDG_STATE_HOME": "/root/.state"}).parent == Path("/var/lib/webhookhub")


def test_a_secret_is_drawn_once_and_stands_in_a_file_of_mode_0600(state: StateFolder) -> None:
    drawn = state.secret("name")

    assert len(drawn) == 2 * state_module.PASSWORD_BYTES
    assert state.secret("name", draw=lambda: "another") == drawn
    file = state.path / "secrets" / "name"
    assert file.read_text() == drawn
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_environment_of_a_hub_can_be_had_while_it_is_up(state: StateFolder) -> None:
    with state.locked():
        with pytest.raises(NotRunningError, match="scripts/run"):
            state.announced_hub()
        state.announce_hub({"NAME": "value"})
        assert state.announced_hub() == {"NAME": "value"}
        assert stat.S_IMODE((state.path / "hub.json").stat().st_mode) == 0o600

    with pytest.raises(NotRunningError, match="No hub is up"):
        state.announced_hub()


def test_a_hub_that_was_killed_counts_as_not_running(state: StateFolder) -> None:
    state.announce_hub({"NAME": "value"})

    with pytest.raises(NotRunningError):
        state.announced_hub()


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(state: StateFolder) -> None:
    (state.path / "file").touch()

    with pytest.raises(StateError, match="WEBHOOKHUB_STATE"):
        StateFolder(state.path / "file" / "below").make()
