"""Settings, all from the environment. `docs/settings.md` is the table of them.

With nothing set this is the embedded default: SQLite in WAL, the in-memory layer, one process,
everything under DATA_DIR. DATABASE_URL and REDIS_URL make it any number of processes. PRODUCTION
turns the start-up check on (`chatbe.server.preflight`), which refuses unsafe settings.
"""

from chatbe.settings.accounts import *
from chatbe.settings.base import *
from chatbe.settings.chat import *
from chatbe.settings.chatbot import *
from chatbe.settings.database import *
from chatbe.settings.declare import env as env
from chatbe.settings.frameworks import *
from chatbe.settings.legacy_v1 import *
from chatbe.settings.limits import *
from chatbe.settings.people import *
from chatbe.settings.security import *
from chatbe.settings.sockets import *
