"""What tests of contacts do and look at again and again."""

from accounts.models import User
from accounts.services import delete_account
from tests.kit.secret_scan import PASSWORD

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
    """Delete an account, as its owner does."""
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    delete_account(user=user, password=PASSWORD)
