"""What tests of contacts do and look at again and again."""

from accounts.models import User

CONTACTS, BLOCKS = "/api/v1/contacts", "/api/v1/blocks"


def add(client, username):
    return client.post(CONTACTS, {"username": username})


def listed(client, url=CONTACTS):
    return [row["user"]["username"] for row in client.get(url).json()["results"]]


def feeds(*users):
    seqs = dict(User.objects.values_list("id", "feed_seq"))
    return [seqs[user.id] for user in users]


def pair(*users):
    return tuple(sorted(user.id for user in users))
