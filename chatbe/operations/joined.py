"""What the apps have to offer to commands that are about all of them. A new app adds its line."""

import accounts.belongings
import accounts.purge
import chatbe.operations.second_factor
import chatbot.belongings
import contacts.belongings
import contacts.purge
import conversations.belongings
import groups.belongings
import groups.purge
import moderation.belongings
import presence.belongings

EXPIRED = (*accounts.purge.EXPIRED, *contacts.purge.EXPIRED, *groups.purge.EXPIRED)
BELONGINGS = (
    *accounts.belongings.BELONGINGS,
    *contacts.belongings.BELONGINGS,
    *conversations.belongings.BELONGINGS,
    *groups.belongings.BELONGINGS,
    *chatbot.belongings.BELONGINGS,
    *moderation.belongings.BELONGINGS,
    *presence.belongings.BELONGINGS,
    *chatbe.operations.second_factor.BELONGINGS,
)
