"""The web server's door: `granian --interface asgi config.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_asgi_application()

# Django has to be set up before its connections can be told, and its models be imported.
from django.db import connections  # noqa: E402

from webhookhub.requests_log import RequestIds  # noqa: E402
from webhookhub.seen_door import SeenDoor  # noqa: E402

# Here Django answers each request in a thread of its own, and a connection that was kept would be kept by nobody: they would
# pile up until PostgreSQL takes no more (Django's documentation, "Databases", "Caveats"). The door's two threads keep theirs.
connections.settings["default"]["CONN_MAX_AGE"] = 0

# Django types its handler more narrowly than the ASGI specification does.
application = RequestIds(SeenDoor(django_application))  # type: ignore[arg-type]
