"""A real browser for tests of pages: Chromium, spoken to over its debugging pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.local.chromium import find_chromium

# The protocol's pipe is on the file descriptors 3 and 4.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--remote-debugging-pipe")
WAIT_SECONDS = 30


def require_chromium() -> str:
    """The path of the browser. Without one the test is skipped, or fails where the environment says that it has to run."""
    if path := find_chromium():
        return path
    reason = "no Chromium is installed: what a browser makes of the page is not tested"
    if os.environ.get("WEBHOOKHUB_TEST_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


class Page:
    """One open page."""

    def __init__(self, url: str, *, profile: Path) -> None:
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, str(commands_out), str(answers_in)),
                *(require_chromium(), *OPTIONS, f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(commands_out, answers_in),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_out)
        os.close(answers_in)
        self._numbers = itertools.count(1)
        self._received = b""
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        # It answers once the new document has taken the place of the old one, whose scripts it ends.
        self._call("Page.navigate", url=url)

    def wait_for(self, condition: str) -> Any:
        """The value of a JavaScript expression, once it is true."""
        return self.evaluate(
            f"""new Promise((resolve, reject) => {{
                const look = () => {{ const value = ({condition}); if (value) resolve(value); else setTimeout(look, 20) }}
                setTimeout(() => reject(new Error('not true in time')), {WAIT_SECONDS * 1000})
                look()
            }})"""
        )

    def evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def set_width(self, pixels: int) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=pixels, height=800, deviceScaleFactor=1, mobile=True)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._commands)
        os.close(self._answers)
        self._process.kill()
        self._process.wait()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (answer := self._read_message()).get("id") != number:
            continue
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read_message(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            chunk = os.read(self._answers, 65_536)
            assert chunk, "the browser ended"
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer
