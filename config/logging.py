"""How does the hub log? One JSON object a line: the moment, the level, the stage (`webhookhub.deliver`), and its numbers."""

from __future__ import annotations

import logging.config
from typing import Any

import structlog

from config.environment import Environment
from webhookhub.requests_log import request_id


def logging_settings(environment: Environment) -> dict[str, Any]:
    """The settings for Python's logging; every logger of the process writes through them."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        # What the apps pass as `extra=` become fields of their own; structlog escapes control characters, so that no
        # value from outside can forge a line.
        structlog.stdlib.ExtraAdder(),
        add_request_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if environment.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=40)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": environment.log_level},
        "loggers": {
            # Celery writes a line for each task at INFO; the stages write their own, with what was done.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "django.server": {"handlers": [], "propagate": True},
        },
    }


def add_request_id(logger: Any, method: str, line: dict[str, Any]) -> dict[str, Any]:
    """A processor of structlog's: lines that a request brings about carry its id."""
    if identifier := request_id.get():
        line["request_id"] = identifier
    return line


def configure_logging(settings: dict[str, Any]) -> None:
    """Django's hook: puts the settings in force."""
    logging.config.dictConfig(settings)
