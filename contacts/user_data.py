"""What contacts know of a user, for the user: what their own lists show."""

from common.batches import Belonging
from contacts import selectors

BELONGINGS = (
    Belonging("contacts", ("user_id", "alias", "created_at"), selectors.list_contacts),
    Belonging("requests_sent", ("receiver_id", "created_at"), selectors.list_outgoing),
    Belonging("requests_received", ("sender_id", "created_at"), selectors.list_incoming),
    Belonging("blocks", ("blocked_id", "created_at"), selectors.list_blocks),
)
