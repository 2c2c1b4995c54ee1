"""What the apps have to offer to commands that are about all of them. A new app adds its line."""

import accounts.belongings
import accounts.purge
import chatbot.belongings
import contacts.belongings
import contacts.purge
import conversations.belongings
import presence.belongings

EXPIRED = (*accounts.purge.EXPIRED, *contacts.purge.EXPIRED)
BELONGINGS = (
    *accounts.belongings.BELONGINGS,
    *contacts.belongings.BELONGINGS,
    *conversations.belongings.BELONGINGS,
    *presence.belongings.BELONGINGS,
    *chatbot.belongings.BELONGINGS,
)
