"""Password hashing that a crowd of logins cannot turn against the server.

One Argon2 hash takes PASSWORD_HASH_KIB of memory for as long as it runs, by design. Requests
have a thread each; only a few of them hash at a time, the others wait for their turn.
"""

import dataclasses
import os
import threading
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from chatbe.core.text import normal_password

_turns = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Django's Argon2 hasher, run by as many threads at once as there are processors.

    All passwords pass it, whichever page, interface or command they come from.
    """

    def params(self) -> Any:
        return dataclasses.replace(super().params(), memory_cost=int(settings.PASSWORD_HASH_KIB))

    def encode(self, password: str, salt: str) -> Any:
        with _turns:
            return super().encode(normal_password(password), salt)

    def verify(self, password: str, encoded: str) -> Any:
        with _turns:
            return super().verify(normal_password(password), encoded)
