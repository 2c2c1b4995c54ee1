"""The baseline: a chat as the tutorials build it, with Django, Channels, daphne and the ORM.

One group per conversation on the Redis channel layer, one consumer per socket, one row
saved per message. It leaves out what would only make it slower: no login (the user's id
is in the query string), no HTTP middleware, no access log, and its database connections
stay open.
"""
