"""Staff at the admin's door, and what they do there."""

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.tests.rest import make_user
from moderation.models import AuditEntry
from moderation.moderators import MODERATORS

WHY = "because of <b>this</b>"


def client_of(user):
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def make_moderator(**fields):
    user = make_user(is_staff=True, **fields)
    user.groups.add(Group.objects.get(name=MODERATORS))
    return client_of(user)


def make_superuser(**fields):
    return client_of(make_user(is_staff=True, is_superuser=True, **fields))


def staff_with(*names):
    user = make_user(is_staff=True)
    for label, codename in (name.split(".") for name in names):
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=label, codename=codename)
        )
    return client_of(user)


def page(row, name="change", *more):
    """The address of a row's page, or with a model of a page about all of them."""
    meta = row._meta
    arguments = [] if isinstance(row, type) else [row.pk]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=[*arguments, *more])


def do(client, name, row, reason=WHY, **form_data):
    """An action to one row, from its own page; the answer, after the redirect."""
    return client.post(page(row, "action", name), {"reason": reason, **form_data}, follow=True)


def do_to_all(client, name, *rows, **form_data):
    """An action to rows that are chosen in the list; `reason` is asked for when it is left out."""
    body = {"action": name, ACTION_CHECKBOX_NAME: [row.pk for row in rows], **form_data}
    return client.post(page(type(rows[0]), "changelist"), body, follow=True)


def told(answer):
    """What a page tells whoever did something."""
    return [str(message) for message in answer.context["messages"]]


def audited():
    """What the audit log says, the oldest first: who, what, to what, why."""
    rows = AuditEntry.objects.order_by("id")
    return list(rows.values_list("actor_id", "action", "target_id", "reason"))
