"""How does a migration let PostgreSQL delete what belongs to a row, in the statement that deletes the row?

Django's own cascade asks for the rows of each table and deletes them one table after the other; what somebody adds in between
fails it.
"""

from __future__ import annotations

from django.db import migrations

_SET = """
    DO $$
    DECLARE
        found record;
    BEGIN
        SELECT conname, regexp_replace(pg_get_constraintdef(pg_constraint.oid), ' ON DELETE CASCADE', '') AS definition
          INTO STRICT found
          FROM pg_constraint
          JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
         WHERE contype = 'f' AND conrelid = '{table}'::regclass AND attname = '{column}';
        EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', found.conname);
        EXECUTE format('ALTER TABLE {table} ADD CONSTRAINT %I %s', found.conname,
                       replace(found.definition, ' DEFERRABLE', '{action} DEFERRABLE'));
    END $$
"""


def cascade_in_database(table: str, column: str) -> migrations.RunSQL:
    """The operation that makes rows of `table` go with the row that their foreign key `column` names."""
    return migrations.RunSQL(
        sql=_SET.format(table=table, column=column, action=" ON DELETE CASCADE"),
        reverse_sql=_SET.format(table=table, column=column, action=""),
    )
