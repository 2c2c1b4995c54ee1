"""Contacts and blocks in the admin, to look at."""

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from contacts.models import Block, Contact


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "user", "created_at")
    list_select_related = ("owner", "user")
    search_ids = ("id", "owner_id", "user_id")
    search_help_text = "The id of a contact or of one of the two users"
    fields = ("id", "owner", "user", "created_at")


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    list_display = ("id", "blocker", "blocked", "created_at")
    list_select_related = ("blocker", "blocked")
    search_ids = ("id", "blocker_id", "blocked_id")
    search_help_text = "The id of a block or of one of the two users"
    fields = ("id", "blocker", "blocked", "created_at")
