"""The group of people who moderate, ready to put somebody into."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

MODERATORS = "Moderators"
RIGHTS = {
    "accounts": ("view_user", "change_user", "view_session", "change_session"),
    "contacts": ("view_block", "view_contact"),
    "conversations": (
        *("view_conversation", "change_conversation", "view_membership", "change_membership"),
        *("view_message", "delete_message", "read_message_text"),
    ),
    "groups": ("view_group", "view_invitation", "view_joinrequest"),
    "moderation": ("view_report", "change_report", "view_auditentry", "view_figures"),
}


@transaction.atomic
def make_moderators(**_: Any) -> None:
    """Receiver of `post_migrate`, when all permissions are there. What was made stays as it is."""
    group, made = Group.objects.get_or_create(name=MODERATORS)
    if made:
        rights = Q(pk__in=())
        for label, names in RIGHTS.items():
            rights |= Q(content_type__app_label=label, codename__in=names)
        group.permissions.set(Permission.objects.filter(rights))
