import django.db.models.deletion
from django.db import migrations, models

from webhookhub.cascades import cascade_in_database


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0007_figures"),
        ("subscriptions", "0006_cascades"),
        ("webhookhub", "0004_cascades"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="delivery",
            options={
                "permissions": [
                    ("cancel_delivery", "Can cancel deliveries"),
                    ("retry_delivery", "Can have deliveries attempted now"),
                    ("replay_delivery", "Can send the events of deliveries once more"),
                    ("move_expiry_of_delivery", "Can move the expiry of deliveries"),
                ],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.AddField(
            model_name="job",
            name="expires_at",
            field=models.DateTimeField(help_text="The new expiry, of a job that moves it.", null=True),
        ),
        migrations.AlterField(
            model_name="job",
            name="account",
            field=models.ForeignKey(
                help_text="Whose deliveries; empty: everybody's.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="webhookhub.account",
            ),
        ),
        # Django has made the foreign key anew.
        cascade_in_database("webhookhub_job", "account_id"),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("cancel", "Cancel"),
                    ("retry", "Retry"),
                    ("replay", "Replay"),
                    ("move_expiry", "Move Expiry"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status__in", ["pending", "held", "failed"])),
                fields=["status", "id"],
                name="delivery_undelivered",
            ),
        ),
    ]
