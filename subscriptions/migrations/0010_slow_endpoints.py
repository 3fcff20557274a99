"""Endpoints that are slow, and triggers: fan-out knows them by the index of their account, workers by the subscription's version."""

from __future__ import annotations

from django.db import migrations, models

_FORWARDS = """
CREATE FUNCTION webhookhub_speed_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Raises both versions: the subscription's, and with a column that the index knows the account's.
    UPDATE webhookhub_subscription SET account_id = account_id WHERE id = NEW.subscription_id;
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_speed_begun AFTER INSERT ON webhookhub_circuit
    FOR EACH ROW WHEN (NEW.is_slow) EXECUTE FUNCTION webhookhub_speed_changed();
CREATE TRIGGER webhookhub_speed_changed AFTER UPDATE ON webhookhub_circuit
    FOR EACH ROW WHEN (OLD.is_slow <> NEW.is_slow) EXECUTE FUNCTION webhookhub_speed_changed();
"""

_BACKWARDS = """
DROP TRIGGER webhookhub_speed_changed ON webhookhub_circuit;
DROP TRIGGER webhookhub_speed_begun ON webhookhub_circuit;
DROP FUNCTION webhookhub_speed_changed;
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0009_circuit_versions")]
    operations = [
        migrations.AddField(
            model_name="circuit",
            name="is_slow",
            field=models.BooleanField(
                default=False,
                help_text="Whether its endpoint takes long to answer: its deliveries have a queue of their own.",
            ),
        ),
        migrations.RunSQL(_FORWARDS, _BACKWARDS),
    ]
