"""`manage.py hub`: one command for what an operator asks."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from webhookhub import doorbell


@pytest.mark.usefixtures("db")
def test_it_names_every_queue() -> None:
    out = StringIO()
    call_command("hub", "status", stdout=out)
    assert all(queue in out.getvalue() for queue in doorbell.QUEUES)


def test_a_command_that_there_is_not_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="status"):
        call_command("hub", "nonsense")
