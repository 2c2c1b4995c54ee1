"""What tests of contacts do and look at again and again."""

from django.utils import timezone

from accounts.models import User
from contacts.models import Contact
from contacts.services import remove_contact

CONTACTS, BLOCKS, USERS = "/api/v1/contacts", "/api/v1/blocks", "/api/v1/users"
INCOMING, OUTGOING = (f"/api/v1/contact-requests/{way}" for way in ("incoming", "outgoing"))


def add(client, username):
    return client.post(CONTACTS, {"username": username})


def accept(client, user):
    return client.post(f"{INCOMING}/{user.id}/accept")


def decline(client, user):
    return client.delete(f"{INCOMING}/{user.id}")


def withdraw(client, user):
    return client.delete(f"{OUTGOING}/{user.id}")


def listed(client, url=CONTACTS):
    return [row["user"]["username"] for row in client.get(url).json()["results"]]


def feeds(*users):
    seqs = dict(User.objects.values_list("id", "feed_seq"))
    return [seqs[user.id] for user in users]


def pair(*users):
    return tuple(sorted(user.id for user in users))


def empty(user):
    """Leave of an account what deleting leaves: contacts end, the row is emptied."""
    for contact in Contact.objects.filter(owner=user):
        remove_contact(user=user, other_id=contact.user_id)
    gone = f"deleted-{user.id}"
    User.objects.filter(id=user.id).update(
        username=gone,
        username_key=gone,
        email="",
        email_key=None,
        display_name="",
        about="",
        is_active=False,
        deleted_at=timezone.now(),
    )
