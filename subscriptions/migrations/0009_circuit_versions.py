"""Triggers: one raises the subscription's version where a circuit changes what may be sent.

An account's version, by which the index of its subscriptions is kept, moves from now on only where something moves that the
index knows: circuits that open and are probed would else have it built anew, again and again, for endpoints that are down.
"""

from __future__ import annotations

from django.db import migrations

from webhookhub.cascades import cascade_in_database

_FORWARDS = """
CREATE FUNCTION webhookhub_circuit_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was_holding boolean := TG_OP <> 'INSERT' AND OLD.state IN ('open', 'half_open');
    is_holding boolean := TG_OP <> 'DELETE' AND NEW.state IN ('open', 'half_open');
BEGIN
    IF was_holding <> is_holding OR is_holding AND (OLD.probe_id, OLD.probe_attempt) IS DISTINCT FROM (NEW.probe_id, NEW.probe_attempt)
    THEN
        UPDATE webhookhub_subscription SET version = version + 1
         WHERE id = CASE TG_OP WHEN 'DELETE' THEN OLD.subscription_id ELSE NEW.subscription_id END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_circuit_changed AFTER INSERT OR UPDATE OR DELETE ON webhookhub_circuit
    FOR EACH ROW EXECUTE FUNCTION webhookhub_circuit_changed();

DROP TRIGGER webhookhub_subscription_changed ON webhookhub_subscription;
CREATE TRIGGER webhookhub_subscription_changed
    AFTER INSERT OR DELETE
       OR UPDATE OF account_id, enabled, event_types, entity_type, action, profile_id, overrides, payload_filter
    ON webhookhub_subscription
    FOR EACH ROW EXECUTE FUNCTION webhookhub_subscription_changed();
-- The index knows for how long a profile's deliveries live.
CREATE OR REPLACE FUNCTION webhookhub_profile_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhookhub_subscription SET profile_id = NEW.name WHERE profile_id = NEW.name;
    RETURN NULL;
END $$;
"""

_BACKWARDS = """
CREATE OR REPLACE FUNCTION webhookhub_profile_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhookhub_subscription SET version = version + 1 WHERE profile_id = NEW.name;
    RETURN NULL;
END $$;
DROP TRIGGER webhookhub_subscription_changed ON webhookhub_subscription;
CREATE TRIGGER webhookhub_subscription_changed AFTER INSERT OR UPDATE OR DELETE ON webhookhub_subscription
    FOR EACH ROW EXECUTE FUNCTION webhookhub_subscription_changed();

DROP TRIGGER webhookhub_circuit_changed ON webhookhub_circuit;
DROP FUNCTION webhookhub_circuit_changed;
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0008_circuits")]
    operations = [
        cascade_in_database("webhookhub_circuit", "subscription_id"),
        migrations.RunSQL(_FORWARDS, _BACKWARDS),
    ]
