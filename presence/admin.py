"""When people were last here, in the admin, to look at."""

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from presence.models import LastSeen


@admin.register(LastSeen)
class LastSeenAdmin(ReadOnlyAdmin):
    list_display = ("user_id", "at")
    list_filter = ()
    ordering = ("-user_id",)
    search_ids = ("user_id",)
    search_fields = ("user_id",)
    search_help_text = "The id of a user"
    fields = ("user_id", "at")
