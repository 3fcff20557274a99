from django.db import migrations

from webhookhub.cascades import cascade_in_database


class Migration(migrations.Migration):
    dependencies = [
        ("webhookhub", "0003_account_validates"),
    ]

    operations = [
        cascade_in_database("webhookhub_api_key", "account_id"),
    ]
