"""Users, their sessions (one per device), the secrets they are given, and what they are told."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.choices import Audience, CodeKind, EndReason, NoticeKind
from accounts.names import (
    ABOUT_MAX,
    DISPLAY_NAME_MAX,
    EMAIL_MAX,
    USERNAME_MAX,
    clean_email,
    clean_username,
    email_key,
    username_key,
)
from common.ids import new_id


class UserManager(BaseUserManager["User"]):
    """Makes users with their keys set; the rules about passwords are in the services."""

    def create_user(
        self,
        username: str,
        email: str,
        password: str | None = None,
        *,
        hashed: str | None = None,
        email_is_known_to_be_theirs: bool = True,
        **fields: Any,
    ) -> "User":
        """Store a user, with a password or its hash. InvalidInput for a name or address that
        cannot be one.

        An address not known to be theirs yet is kept without its key: it neither logs
        anybody in nor keeps its owner from using it.
        """
        username, email = clean_username(username), clean_email(email)
        user = self.model(
            username=username,
            username_key=username_key(username),
            email=email,
            email_key=email_key(email) if email_is_known_to_be_theirs else None,
            **fields,
        )
        if hashed is None:
            user.set_password(password)
        else:
            user.password = hashed
        user.save(using=self._db, force_insert=True)
        return user

    def create_superuser(
        self, username: str, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self.create_user(
            username, email, password, **{"is_staff": True, "is_superuser": True, **fields}
        )

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username_key=username_key(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person or bot. Emptied when deleted, never removed: messages point here."""

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(max_length=USERNAME_MAX, unique=True)
    # Longer than the name: one character may look like seven others.
    username_key = models.CharField(max_length=256, unique=True, editable=False)
    email = models.EmailField(max_length=EMAIL_MAX)
    # Case folding may lengthen an address. Null until the address is known to be theirs:
    # many may be null, only one could be empty.
    email_key = models.CharField(max_length=800, unique=True, null=True, editable=False)  # noqa: DJ001
    # The address a change waits for, until whoever reads its mail confirms it.
    pending_email = models.EmailField(max_length=EMAIL_MAX, blank=True, editable=False)
    display_name = models.CharField(max_length=DISPLAY_NAME_MAX, blank=True)
    about = models.CharField(max_length=ABOUT_MAX, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    # --- privacy
    about_for = models.CharField(max_length=8, choices=Audience, default=Audience.EVERYONE)
    last_seen_for = models.CharField(max_length=8, choices=Audience, default=Audience.CONTACTS)
    # Found by the beginning of the username, not only by all of it.
    searchable = models.BooleanField(default=True)
    # Who may make them a member of a group without asking.
    groups_for = models.CharField(max_length=8, choices=Audience, default=Audience.CONTACTS)
    # Whether others learn what this user has read; who hides it does not see theirs either.
    read_receipts = models.BooleanField(default=True)
    # --- the account
    is_active = models.BooleanField(default=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # A program's account: nobody logs in with it.
    is_bot = models.BooleanField(default=False, editable=False)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    feed_seq = models.BigIntegerField(default=0, editable=False)
    # How often all sockets of this user were closed by an operator. One that is open knows
    # the number it began with.
    disconnects = models.BigIntegerField(default=0, editable=False)
    # How often all their logins of the admin were ended. Its cookies hold a hash of the
    # number they began with.
    admin_logins_ended = models.BigIntegerField(default=0, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    def __str__(self) -> str:
        return self.username

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password. A hash of old parameters is replaced by a new one.

        Only if it is still the one that was looked at: Django would write over a password
        that was changed meanwhile, and let the old one in again.
        """
        looked_at = self.password

        def rehash(raw: str) -> None:
            hashed = make_password(raw)
            own = User.objects.filter(id=self.id)
            if own.filter(password=looked_at).update(password=hashed):
                self.password = hashed
                return
            stored = own.values_list("password", flat=True).first() or ""
            if check_password(raw, stored):
                # Another login of theirs was faster.
                self.password = stored

        return check_password(raw_password, self.password, rehash)

    def get_session_auth_hash(self) -> str:
        """What a cookie of the admin must hold: another one, and the login has ended."""
        return self._auth_hash(None)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for fallback in settings.SECRET_KEY_FALLBACKS:
            yield self._auth_hash(fallback)

    def _auth_hash(self, secret: str | bytes | None) -> str:
        told = f"{self.admin_logins_ended} {self.password}"
        return salted_hmac("admin login", told, secret=secret, algorithm="sha256").hexdigest()

    @property
    def deleted(self) -> bool:
        """Whether the account was deleted by its owner or an operator: it is empty."""
        return self.deleted_at is not None

    @property
    def bot(self) -> bool:
        """Whether a program speaks for it, as other people are told."""
        return self.is_bot

    @property
    def email_confirmed(self) -> bool:
        """Whether the address is known to be theirs."""
        return self.email_key is not None

    @property
    def unconfirmed_email(self) -> str:
        """The address that waits for its confirmation, or nothing."""
        return self.pending_email or ("" if self.email_confirmed else self.email)


DEVICE_MAX = 64
USER_AGENT_MAX = 200


class Session(models.Model):
    """One login on one device. Access tokens, tickets and sockets live as long as it does."""

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions"
    )
    device = models.CharField(max_length=DEVICE_MAX, blank=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=USER_AGENT_MAX, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    # Hashes of the refresh token and of the one it replaced; when it was replaced.
    refresh_hash = models.CharField(max_length=64)
    previous_refresh_hash = models.CharField(max_length=64, blank=True)
    rotated_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=16, choices=EndReason, blank=True)

    def __str__(self) -> str:
        return f"session {self.id}"


class Ticket(models.Model):
    """Opens one socket, once. Only its hash is stored."""

    hash = models.CharField(primary_key=True, max_length=64)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tickets")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"ticket of session {self.session_id}"


class MailCode(models.Model):
    """A secret that was mailed to an address, good once. Only its hash is stored."""

    hash = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=16, choices=CodeKind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_codes"
    )
    address = models.EmailField(max_length=EMAIL_MAX)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} of user {self.user_id}"


ANNOUNCEMENT_MAX = 2_000


class Notice(models.Model):
    """Something that a user should look at: about their account, or from the operators.

    What it says of the session is a copy: the session goes on changing. An announcement
    is of no session; it has a text and the name of its broadcast, and nobody has two of
    the same name.
    """

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    kind = models.CharField(max_length=16, choices=NoticeKind)
    text = models.CharField(max_length=ANNOUNCEMENT_MAX, blank=True)
    broadcast = models.CharField(max_length=64, blank=True)
    session_id = models.BigIntegerField(null=True)
    device = models.CharField(max_length=DEVICE_MAX, blank=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=USER_AGENT_MAX, blank=True)
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} for user {self.user_id}"


class StatusFollowUp(models.Model):
    """That somebody came or went, and what follows from it for others may not be done yet.

    Made in the transaction that changes the user's row, gone when everybody was told.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["changed_at"], name="accounts_follow_up_age")]

    def __str__(self) -> str:
        return f"of user {self.user_id}"
