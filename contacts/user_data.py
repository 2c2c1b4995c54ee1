"""What contacts know of a user, for the user: what their own lists show."""

from common.batches import UserDataExport
from contacts import selectors

USER_DATA = (
    UserDataExport("contacts", ("user_id", "alias", "created_at"), selectors.list_contacts),
    UserDataExport("requests_sent", ("receiver_id", "created_at"), selectors.list_outgoing),
    UserDataExport("requests_received", ("sender_id", "created_at"), selectors.list_incoming),
    UserDataExport("blocks", ("blocked_id", "created_at"), selectors.list_blocks),
)
