"""The delivery profiles that every hub begins with; from then on they are rows like any other."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from subscriptions.builtin_profiles import BUILT_IN_PROFILES


def insert_profiles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("subscriptions", "Profile")
    for profile in BUILT_IN_PROFILES:
        model.objects.get_or_create(
            name=profile.name,
            defaults={
                "description": profile.description,
                "timeout_seconds": profile.timeout_seconds,
                "success_statuses": str(profile.success_statuses),
                "retry_on": str(profile.retry_on),
                "stop_on_gone": profile.stop_on_gone,
                "intervals_seconds": list(profile.intervals_seconds),
                "max_interval_seconds": profile.max_interval_seconds,
                "backoff_factor": profile.backoff_factor,
                "max_attempts": profile.max_attempts,
                "expires_after_seconds": profile.expires_after_seconds,
                "jitter_ratio": profile.jitter_ratio,
                "retry_after_cap_seconds": profile.retry_after_cap_seconds,
                "body_form": profile.body_form.value,
                "user_agent": profile.user_agent or "",
                "request_id_parameter": profile.request_id_parameter or "",
            },
        )


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0002_versions")]
    operations = [migrations.RunPython(insert_profiles, migrations.RunPython.noop)]
