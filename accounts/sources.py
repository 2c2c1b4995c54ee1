"""What the realtime layer reads about users and sessions."""

from collections.abc import Collection

from django.contrib.auth import get_user_model

from accounts import selectors, services
from chatbe.realtime.sources import UserStates


class AccountsUserSource:
    """Implements `chatbe.realtime.sources.UserSource`."""

    def states(self, user_ids: Collection[int], session_ids: Collection[int]) -> UserStates:
        """The feed positions of active users and the live ones among the sessions."""
        users = get_user_model().objects.filter(id__in=user_ids, is_active=True)
        rows = list(users.values_list("id", "feed_seq", "disconnects"))
        live = selectors.live_sessions().filter(id__in=session_ids)
        last_uses = dict(live.values_list("id", "last_used_at"))
        # The asked sessions have sockets: as long as one is open, its session is used.
        stale = [id for id, used_at in last_uses.items() if selectors.use_is_stale(used_at)]
        if stale:
            services.note_use(stale)
        return UserStates(
            feed_seqs={id: feed_seq for id, feed_seq, _ in rows},
            disconnects={id: disconnects for id, _, disconnects in rows},
            live_sessions=frozenset(last_uses),
        )
