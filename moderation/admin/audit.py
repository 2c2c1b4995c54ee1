"""The audit log, to look at: nobody changes it here or anywhere."""

from django.contrib import admin

from common.admin import CreatedWithinFilter, ReadOnlyAdmin
from moderation.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "at", "actor_name", "actor_id", "action"),
        *("target_kind", "target_id", "reason"),
    )
    list_filter = (CreatedWithinFilter, "action")
    search_ids = ("id", "actor_id", "target_id")
    search_help_text = "The id of an entry, of who did it, or of what it was done to"
    fields = (
        *("id", "at", "actor_name", "actor_id", "action"),
        *("target_kind", "target_id", "reason", "details"),
    )
