"""Users and sessions in the admin: to look at, to shut out, to end. Nothing else is typed here."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import services
from accounts.models import EndReason, Session, User
from accounts.names import LOGIN_MAX, email_key, username_key
from chatbe.core.admin import GuardedAdmin, LookAdmin, MadeWithin


@admin.register(User)
class UserAdmin(LookAdmin):
    """Who may shut somebody out needs "can change user"; staff are the superusers' business."""

    list_display = ("username", "id", "email", "is_active", "is_staff", "date_joined")
    list_filter = (MadeWithin, "is_active", "is_staff")
    search_fields = ("username_key", "email_key", "id")
    search_help_text = "A username or its beginning, an e-mail address, or an id"
    fields = (
        *("username", "id", "email", "display_name", "about", "time_zone"),
        *("is_active", "deleted_at", "date_joined", "last_login"),
        *("is_staff", "is_superuser", "groups"),
    )
    filter_horizontal = ("groups",)
    actions = ("shut_out", "let_in")

    def found_by(self, term: str) -> Q:
        by_id = super().found_by(term)
        if len(term) > LOGIN_MAX:
            return by_id
        if "@" in term:
            return Q(email_key=email_key(term))
        key = username_key(term)
        # Whoever is called just that would be lost among those with longer names.
        named = Q(username_key=key)
        if User.objects.filter(named).exists():
            return by_id | named
        return by_id | Q(username_key__startswith=key)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if not request.user.has_perm("accounts.change_user"):
            return False
        return obj is None or _may_change(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        typed = {"is_active"}
        if getattr(request.user, "is_superuser", False):
            typed |= {"is_staff", "groups"}
        return [name for name in self.fields if name not in typed]

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """By the services: they end sessions, lock and log."""
        if "is_active" in form.changed_data:
            services.set_user_active(user_id=obj.id, is_active=obj.is_active)
        if {"is_staff", "groups"} & set(form.changed_data):
            services.set_user_staff(
                user_id=obj.id, is_staff=obj.is_staff, groups=form.cleaned_data["groups"]
            )

    def save_related(self, *_arguments: Any) -> None:
        """Nothing is left to save: see save_model."""

    @admin.action(description="Shut out and end all sessions", permissions=["change"])
    def shut_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset, is_active=False)

    @admin.action(description="Let in again", permissions=["change"])
    def let_in(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset, is_active=True)

    def _set_active(
        self, request: HttpRequest, queryset: QuerySet[User], *, is_active: bool
    ) -> None:
        chosen = list(queryset)
        users = [user for user in chosen if _may_change(request, user)]
        for user in users:
            services.set_user_active(user_id=user.id, is_active=is_active)
        done = "let in" if is_active else "shut out"
        self.log_actions(request, users, f"Was {done}.")
        messages.info(request, f"{len(users)} of {len(chosen)} were {done}.")


def _may_change(request: HttpRequest, user: User) -> bool:
    """Nobody shuts themselves out, only superusers other staff; a deleted account stays gone."""
    if user.deleted or user.pk == request.user.pk:
        return False
    return getattr(request.user, "is_superuser", False) or not (user.is_staff or user.is_superuser)


@admin.register(Session)
class SessionAdmin(LookAdmin):
    """Ending one needs "can change session"."""

    list_display = (
        *("id", "user", "device", "address", "created_at"),
        *("last_used_at", "expires_at", "ended_at", "end_reason"),
    )
    list_filter = (MadeWithin, "end_reason")
    list_select_related = ("user",)
    search_ids = ("id", "user_id")
    search_help_text = "The id of a session or of its user"
    fields = (
        *("id", "user", "device", "address", "user_agent", "created_at"),
        *("last_used_at", "rotated_at", "expires_at", "ended_at", "end_reason"),
    )
    actions = ("end",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_session")

    @admin.action(description="End, and close their sockets", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        sessions = list(queryset)
        ids = [session.id for session in sessions]
        ended = services.end_sessions(Session.objects.filter(id__in=ids), reason=EndReason.REVOKED)
        self.log_actions(request, sessions, "Was ended.")
        messages.info(request, f"{ended} of {len(ids)} were ended; the others had ended before.")


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(GuardedAdmin, DjangoGroupAdmin):
    """Sets of permissions. Whoever may change one could give themselves all: superusers only."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "is_superuser", False)

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_module_permission(request)
