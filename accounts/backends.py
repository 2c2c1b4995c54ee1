"""Logging in to the admin: by the same rules and budgets as everywhere else."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts import services
from accounts.models import User
from common.addresses import request_address
from common.errors import Banned, RateLimited, WrongCredentials


class AccountBackend(ModelBackend):
    """Django's back-end, with passwords checked by our service."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if not username or not password:
            return None
        address = request_address(request) if request is not None else None
        try:
            return services.verify_login(login=username, password=password, address=address)
        except (WrongCredentials, Banned, RateLimited):
            return None
