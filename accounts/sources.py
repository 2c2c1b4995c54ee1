"""What the realtime layer reads about users and sessions."""

from collections.abc import Collection

from django.contrib.auth import get_user_model

from accounts import selectors, services
from realtime.sources import UserStates


class AccountsUserSource:
    """Implements `realtime.sources.UserSource`."""

    def states(self, user_ids: Collection[int], session_ids: Collection[int]) -> UserStates:
        """The feed positions of active users and the live ones among the sessions."""
        users = get_user_model().objects.filter(id__in=user_ids, is_active=True)
        rows = list(users.values_list("id", "feed_seq", "disconnects"))
        live = selectors.live_sessions().filter(id__in=session_ids)
        last_uses = dict(live.values_list("id", "last_used_at"))
        return UserStates(
            feed_seqs={id: feed_seq for id, feed_seq, _ in rows},
            disconnects={id: disconnects for id, _, disconnects in rows},
            live_sessions=frozenset(last_uses),
            unnoted_sessions=frozenset(
                id for id, used_at in last_uses.items() if selectors.use_is_stale(used_at)
            ),
        )

    def touch_sessions(self, session_ids: Collection[int]) -> None:
        """Note that these sessions are used; those that somebody has locked are noted later."""
        services.touch_sessions(session_ids)
