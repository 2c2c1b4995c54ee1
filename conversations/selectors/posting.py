"""Who may post: the rule that the append checks under its lock, for those who only look.

The same in three tongues: here for the ORM and for statements of our own, and in
`conversations/sql/append.sql`.
"""

from django.db.models import BooleanField, ExpressionWrapper, Q

from conversations.models import Membership

MAY_POST = ExpressionWrapper(
    Q(may_send=True, conversation__closed_at=None)
    & (Q(conversation__announcement_only=False) | ~Q(role=Membership.Role.MEMBER)),
    output_field=BooleanField(),
)

# Of a membership `s` and its conversation `c`.
MAY_POST_SQL = (
    "(s.may_send AND c.closed_at IS NULL AND (NOT c.announcement_only OR s.role <> 'member'))"
)
