"""The admin of the hub's own service: its first page, and the pages of what others brought along, in unfold's looks."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django_celery_beat import admin as beat
from django_celery_beat import models
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from webhookhub.admin.hub_admin import HubAdmin

admin.site.index_template = "webhookhub/admin/home.html"
admin.site.index_title = "How the hub is doing"
admin.site.unregister([User, Group])
admin.site.unregister(
    [
        models.PeriodicTask,
        models.IntervalSchedule,
        models.CrontabSchedule,
        models.ClockedSchedule,
        models.SolarSchedule,
    ]
)


@admin.register(User)
class HubUserAdmin(UserAdmin, HubAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # Django's pair of lists cannot be read by a screen reader, and is wider than a phone.
    filter_horizontal = ()


@admin.register(Group)
class HubGroupAdmin(GroupAdmin, HubAdmin):
    filter_horizontal = ()


class TaskSelectWidget(UnfoldAdminSelectWidget, beat.TaskSelectWidget):  # type: ignore[misc]  # unfold carries no types
    """The names of the tasks that there are."""


class PeriodicTaskForm(beat.PeriodicTaskForm):  # type: ignore[misc]  # it carries no types
    """The same fields in unfold's looks."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelectWidget()


@admin.register(models.PeriodicTask)
class HubPeriodicTaskAdmin(beat.PeriodicTaskAdmin, HubAdmin):  # type: ignore[misc]  # neither carries types
    form = PeriodicTaskForm


@admin.register(models.IntervalSchedule)
class HubIntervalScheduleAdmin(beat.IntervalScheduleAdmin, HubAdmin):  # type: ignore[misc]  # neither carries types
    pass


@admin.register(models.CrontabSchedule)
class HubCrontabScheduleAdmin(beat.CrontabScheduleAdmin, HubAdmin):  # type: ignore[misc]  # neither carries types
    pass


@admin.register(models.ClockedSchedule)
class HubClockedScheduleAdmin(beat.ClockedScheduleAdmin, HubAdmin):  # type: ignore[misc]  # neither carries types
    pass


@admin.register(models.SolarSchedule)
class HubSolarScheduleAdmin(beat.SolarScheduleAdmin, HubAdmin):  # type: ignore[misc]  # neither carries types
    pass
