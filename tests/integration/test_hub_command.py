"""`manage.py hub`: one command for what an operator asks."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


def test_a_command_that_there_is_not_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="status"):
        call_command("hub", "nonsense")
