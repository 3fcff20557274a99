"""How does a migration make a table that is cut by time? As CreateModel does, with PARTITION BY RANGE on the id."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from webhookhub.partitions import create_partitions


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel for a model whose primary key is a UUIDv7, with a default partition and those of the coming days."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Make the table, cut by time, and its first partitions."""
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE (id)"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        # Whatever no partition of its time takes is kept here rather than refused; maintenance warns of it.
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        create_partitions(table, now=datetime.now(UTC))
