"""What does a transport give back? Results as tests need them, with defaults for what a test does not speak of."""

from __future__ import annotations

from deliveries.transport.exchange import Answer, FailureKind, NoAnswer, Timings


def answer(status_code: int, *headers: tuple[str, str]) -> Answer:
    return Answer(
        status_code=status_code,
        headers=headers,
        body=b"",
        truncated=False,
        timings=Timings(total_ms=3.0),
        peer_address="203.0.113.7",
        connection_reused=False,
    )


def no_answer(kind: FailureKind, *, status_code: int | None = None) -> NoAnswer:
    return NoAnswer(kind=kind, message="nothing came", status_code=status_code, timings=Timings())
