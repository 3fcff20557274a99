from django.db import migrations

# A claim rewrites its row. With half of each page free the new version stays on it, and no index is touched (a "heap-only
# tuple"); without, every claim writes an entry into each of five indexes. The room is used again by the attempt's record.
_SET = """
    DO $$
    DECLARE part regclass;
    BEGIN
        FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'webhookhub_delivery'::regclass LOOP
            EXECUTE format('ALTER TABLE %s {change}', part);
        END LOOP;
    END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0004_expunged_responses"),
    ]

    operations = [
        migrations.RunSQL(
            sql=_SET.format(change="SET (fillfactor = 50)"), reverse_sql=_SET.format(change="RESET (fillfactor)")
        ),
    ]
