from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0007_paused"),
    ]

    operations = [
        migrations.CreateModel(
            name="Circuit",
            fields=[
                (
                    "subscription",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="circuit",
                        serialize=False,
                        to="subscriptions.subscription",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("half_open", "Half Open"),
                            ("recovering", "Recovering"),
                            ("closed", "Closed"),
                            ("would_open", "Would Open"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "since",
                    models.DateTimeField(
                        help_text="Probes that failed do not count: since when its endpoint is down, or is back."
                    ),
                ),
                ("reason", models.CharField(blank=True, help_text="Why it opened last.", max_length=100)),
                ("openings", models.PositiveIntegerField(default=0, help_text="How often it opened in a row.")),
                ("probe_at", models.DateTimeField(help_text="When the next probe may go.", null=True)),
                ("probe_id", models.UUIDField(help_text="The delivery that is let through ...", null=True)),
                (
                    "probe_attempt",
                    models.PositiveIntegerField(help_text="... and the number of its attempt that is.", null=True),
                ),
                (
                    "step_size",
                    models.PositiveIntegerField(default=0, help_text="Deliveries that were to be released last."),
                ),
                (
                    "step_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), default=list, help_text="Those that were.", size=None
                    ),
                ),
            ],
            options={
                "db_table": "webhookhub_circuit",
            },
        ),
    ]
