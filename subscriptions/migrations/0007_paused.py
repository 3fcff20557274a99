from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0006_cascades"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="paused",
            # The database's own default: workers of the version before may still insert rows.
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="What happens is kept for it, and sent when it is resumed.",
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="enabled",
            field=models.BooleanField(default=True, help_text="Whether it is told of what happens."),
        ),
    ]
