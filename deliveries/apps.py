from __future__ import annotations

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    name = "deliveries"

    def ready(self) -> None:
        """Events that are published over HTTP get their deliveries in the statement that inserts them, where they can."""
        from deliveries.inline_fan_out import InlineFanOut
        from webhookhub.ingest.sink import use_sink

        use_sink(InlineFanOut())
