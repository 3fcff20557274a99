"""The web server's door: `granian --interface asgi config.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_asgi_application()

# Django has to be set up before its models can be imported.
from webhookhub.ingest.door import Door  # noqa: E402

# Django types its handler more narrowly than the ASGI specification does.
application = Door(django_application)  # type: ignore[arg-type]
