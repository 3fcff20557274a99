"""Who may do what? A key has one role, and a role has rights; every route of the API says which right it needs."""

from __future__ import annotations

from enum import Enum

from django.db import models


class Role(models.TextChoices):
    """What a key is for."""

    OPERATOR = "operator"  # whoever runs the hub: all accounts
    ADMINISTRATOR = "administrator"  # of one account: its webhooks, keys and deliveries
    PUBLISHER = "publisher"  # an application of the account's: records events
    READER = "reader"  # looks at the account's events and deliveries


class Right(Enum):
    """What a route lets its caller do."""

    PUBLISH = "record events"
    READ = "read events and deliveries"
    ADMINISTER = "manage webhooks, keys and deliveries"
    OPERATE = "manage accounts and the catalogue"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset(Right),
    Role.ADMINISTRATOR: frozenset({Right.PUBLISH, Right.READ, Right.ADMINISTER}),
    Role.PUBLISHER: frozenset({Right.PUBLISH}),
    Role.READER: frozenset({Right.READ}),
}
