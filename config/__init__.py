"""The wiring: environment, settings, Celery, URLs, logging. Nothing imports from here but entry points."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
