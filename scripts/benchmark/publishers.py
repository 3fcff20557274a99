"""Who publishes events over HTTP? wrk where it is installed, else a client of our own; each from 64 connections at once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from scripts.benchmark.errors import PublisherFailed
from scripts.benchmark.publisher import PAUSE_READ_EVERY
from scripts.benchmark.rows import EVENT_DATA, event_type
from scripts.benchmark.scenario import DEADLINE_SECONDS, MICROSECONDS
from scripts.local.state import CHECKOUT

CONNECTIONS = 64
BATCH_EVENTS = 100
# Few connections send batches: each holds a hundred events.
BATCH_CONNECTIONS = 8
EVENT_PATH = "/api/v1/events"
BATCH_PATH = "/api/v1/events/batch"
# What the script says to wrk when it has had its answers.
REACHED = "reached\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a load of requests came to; every one of them was accepted."""

    requests: int
    seconds: float


def publisher_name() -> str:
    """What `publish` starts."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def event_bodies(endpoints: int) -> list[bytes]:
    """A request's body for an event of each endpoint's type."""
    return [orjson.dumps({"type": event_type(number), "data": EVENT_DATA}) for number in range(endpoints)]


def batch_bodies(endpoints: int) -> list[bytes]:
    """A few different bodies of BATCH_EVENTS each."""
    return [
        orjson.dumps(
            {"events": [{"type": event_type((start + n) % endpoints), "data": EVENT_DATA} for n in range(BATCH_EVENTS)]}
        )
        for start in range(min(endpoints, 8))
    ]


def publish(
    url: str,
    key: str,
    bodies: Sequence[bytes],
    *,
    folder: Path,
    count: int,
    connections: int = CONNECTIONS,
    pause: Path | None = None,
) -> Published:
    """POST the bodies in turn until `count` requests are answered. Raises PublisherFailed where one was not accepted.

    `pause`: a file that says for how many milliseconds each connection waits before a request, and may change meanwhile.
    """
    file = folder / "bodies.ndjson"
    file.write_bytes(b"\n".join(bodies))
    if wrk := shutil.which("wrk"):
        script = folder / "publish.lua"
        script.write_text(_WRK_SCRIPT.replace("@READ_EVERY@", str(PAUSE_READ_EVERY)))
        seconds = f"{DEADLINE_SECONDS:.0f}s"
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", seconds, "-s", str(script), url, "--"]
    else:
        command = [sys.executable, "-P", "-m", "scripts.benchmark.publisher", url, str(connections)]
    command += [key, str(file), str(count), str(pause or "")]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == REACHED:
                # wrk sleeps to the end of its time unless it is woken.
                process.send_signal(signal.SIGINT)
    if process.returncode != 0 or not lines:
        raise PublisherFailed(f"{command[0]} failed: {''.join(lines)[-1000:]}")
    said = json.loads(lines[-1])
    if said["failures"]:
        raise PublisherFailed(f"{said['failures']} of {said['requests']} requests were not accepted.")
    return Published(requests=said["requests"], seconds=said["duration_us"] / MICROSECONDS)


# Arguments: key, file of bodies, requests, and perhaps the file of the pause.
_WRK_SCRIPT = """
local requests, sent, answered, limit, pause = {}, 0, 0, 0, 0

local function read_pause(name)
  if sent % @READ_EVERY@ == 0 then
    for line in io.lines(name) do pause = tonumber(line) end
  end
  return pause
end

function setup(thread)
  our_thread = thread
end

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. arguments[1]
  wrk.headers["Content-Type"] = "application/json"
  for body in io.lines(arguments[2]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
  limit, refused = tonumber(arguments[3]), 0
  if arguments[4] ~= "" then
    delay = function() return read_pause(arguments[4]) end
  end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end

function response(status)
  answered = answered + 1
  if status ~= 202 then refused = refused + 1 end
  if answered == limit then
    io.write("reached\\n")
    io.flush()
    wrk.thread:stop()
  end
end

function done(summary)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local line = '{"requests": %d, "duration_us": %d, "failures": %d}'
  print(string.format(line, summary.requests, summary.duration, failed + our_thread:get("refused")))
end
"""
