from django.db import migrations

from webhookhub.cascades import cascade_in_database


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0005_room_for_claims"),
    ]

    operations = [
        cascade_in_database("webhookhub_job", "account_id"),
    ]
