from django.db import migrations

from webhookhub.cascades import cascade_in_database


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0005_access_tokens"),
    ]

    operations = [
        cascade_in_database("webhookhub_subscription", "account_id"),
        cascade_in_database("webhookhub_secret", "subscription_id"),
        cascade_in_database("webhookhub_access_token", "subscription_id"),
    ]
