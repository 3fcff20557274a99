"""Access tokens that all workers share, and a trigger that drops them, whoever changes the credentials: API, admin or psql."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

_FORWARDS = """
CREATE FUNCTION webhookhub_credentials_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM webhookhub_access_token WHERE subscription_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER webhookhub_credentials_changed AFTER UPDATE OF auth_kind, encrypted_credentials ON webhookhub_subscription
    FOR EACH ROW
    WHEN (OLD.auth_kind = 'oauth2' AND (OLD.auth_kind, OLD.encrypted_credentials)
                                       IS DISTINCT FROM (NEW.auth_kind, NEW.encrypted_credentials))
    EXECUTE FUNCTION webhookhub_credentials_changed();
CREATE TRIGGER webhookhub_credentials_deleted AFTER DELETE ON webhookhub_subscription
    FOR EACH ROW WHEN (OLD.auth_kind = 'oauth2') EXECUTE FUNCTION webhookhub_credentials_changed();
"""

_BACKWARDS = """
DROP TRIGGER webhookhub_credentials_deleted ON webhookhub_subscription;
DROP TRIGGER webhookhub_credentials_changed ON webhookhub_subscription;
DROP FUNCTION webhookhub_credentials_changed;
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0004_api")]

    operations = [
        migrations.CreateModel(
            name="AccessToken",
            fields=[
                (
                    "subscription",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="subscriptions.subscription",
                    ),
                ),
                ("encrypted_token", models.TextField(blank=True, editable=False)),
                ("fetched_at", models.DateTimeField(help_text="Tells this token from the ones before.", null=True)),
                (
                    "refresh_at",
                    models.DateTimeField(
                        help_text="From then on the next one is fetched; empty: nobody knows.", null=True
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(help_text="From then on it is not used; empty: nobody knows.", null=True),
                ),
                ("rejected_at", models.DateTimeField(help_text="When the receiver last turned one away.", null=True)),
                (
                    "asked_at",
                    models.DateTimeField(help_text="When somebody began to fetch one who has not ended.", null=True),
                ),
                (
                    "error",
                    models.CharField(blank=True, help_text="Why the last one was not to be had.", max_length=300),
                ),
                ("retry_at", models.DateTimeField(help_text="Before that nobody asks again.", null=True)),
            ],
            options={"db_table": "webhookhub_access_token"},
        ),
        migrations.RunSQL(_FORWARDS, _BACKWARDS),
    ]
