"""What the apps have to offer to commands that are about all of them. A new app adds its line."""

import accounts.retention
import accounts.user_data
import chatbe.staff.second_factor
import chatbot.user_data
import contacts.retention
import contacts.user_data
import conversations.user_data
import groups.retention
import groups.user_data
import moderation.user_data
import presence.user_data

EXPIRED = (*accounts.retention.EXPIRED, *contacts.retention.EXPIRED, *groups.retention.EXPIRED)
BELONGINGS = (
    *accounts.user_data.BELONGINGS,
    *contacts.user_data.BELONGINGS,
    *conversations.user_data.BELONGINGS,
    *groups.user_data.BELONGINGS,
    *chatbot.user_data.BELONGINGS,
    *moderation.user_data.BELONGINGS,
    *presence.user_data.BELONGINGS,
    *chatbe.staff.second_factor.BELONGINGS,
)
