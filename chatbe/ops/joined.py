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

RETENTION_RULES = (
    *accounts.retention.RETENTION_RULES,
    *contacts.retention.RETENTION_RULES,
    *groups.retention.RETENTION_RULES,
)
USER_DATA = (
    *accounts.user_data.USER_DATA,
    *contacts.user_data.USER_DATA,
    *conversations.user_data.USER_DATA,
    *groups.user_data.USER_DATA,
    *chatbot.user_data.USER_DATA,
    *moderation.user_data.USER_DATA,
    *presence.user_data.USER_DATA,
    *chatbe.staff.second_factor.USER_DATA,
)
