"""Triggers that raise versions, so that every process sees every change, whoever makes it: API, admin or psql."""

from __future__ import annotations

from django.db import migrations

_FORWARDS = """
CREATE FUNCTION webhookhub_subscription_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhookhub_account SET subscriptions_version = subscriptions_version + 1
     WHERE id IN (OLD.account_id, NEW.account_id);
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_subscription_changed AFTER INSERT OR UPDATE OR DELETE ON webhookhub_subscription
    FOR EACH ROW EXECUTE FUNCTION webhookhub_subscription_changed();

CREATE FUNCTION webhookhub_subscription_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER webhookhub_subscription_raise_version BEFORE UPDATE ON webhookhub_subscription
    FOR EACH ROW EXECUTE FUNCTION webhookhub_subscription_raise_version();

CREATE FUNCTION webhookhub_secret_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhookhub_subscription SET version = version + 1 WHERE id IN (OLD.subscription_id, NEW.subscription_id);
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_secret_changed AFTER INSERT OR UPDATE OR DELETE ON webhookhub_secret
    FOR EACH ROW EXECUTE FUNCTION webhookhub_secret_changed();

CREATE FUNCTION webhookhub_profile_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhookhub_subscription SET version = version + 1 WHERE profile_id = NEW.name;
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_profile_changed AFTER UPDATE ON webhookhub_profile
    FOR EACH ROW EXECUTE FUNCTION webhookhub_profile_changed();
"""

_BACKWARDS = """
DROP TRIGGER webhookhub_profile_changed ON webhookhub_profile;
DROP TRIGGER webhookhub_secret_changed ON webhookhub_secret;
DROP TRIGGER webhookhub_subscription_raise_version ON webhookhub_subscription;
DROP TRIGGER webhookhub_subscription_changed ON webhookhub_subscription;
DROP FUNCTION webhookhub_profile_changed, webhookhub_secret_changed, webhookhub_subscription_raise_version,
              webhookhub_subscription_changed;
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial")]
    operations = [migrations.RunSQL(_FORWARDS, _BACKWARDS)]
