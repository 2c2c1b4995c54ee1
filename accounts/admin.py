"""Users and sessions in the admin, to look at; what may be done to them is in `moderation`."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Q
from django.http import HttpRequest

from accounts.models import Session, User
from accounts.names import LOGIN_MAX, email_key, is_email, username_key
from common.admin import CreatedWithinFilter, GuardedAdmin, ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("username", "id", "email", "is_active", "is_staff", "date_joined")
    list_filter = (CreatedWithinFilter, "is_active", "is_staff")
    search_fields = ("username_key", "email_key", "id")
    search_help_text = "A username or its beginning, an e-mail address, or an id"
    fields = (
        *("username", "id", "email", "display_name", "about", "time_zone"),
        *("is_active", "deleted_at", "date_joined", "last_login"),
        *("is_staff", "is_superuser", "groups"),
    )
    filter_horizontal = ("groups",)

    def found_by(self, term: str) -> Q:
        by_id = super().found_by(term)
        if len(term) > LOGIN_MAX:
            return by_id
        if is_email(term):
            return Q(email_key=email_key(term))
        key = username_key(term)
        # Whoever is called just that would be lost among those with longer names.
        named = Q(username_key=key)
        if User.objects.filter(named).exists():
            return by_id | named
        return by_id | Q(username_key__startswith=key)


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "user", "device", "address", "created_at"),
        *("last_used_at", "expires_at", "ended_at", "end_reason"),
    )
    list_filter = (CreatedWithinFilter, "end_reason")
    list_select_related = ("user",)
    search_ids = ("id", "user_id")
    search_help_text = "The id of a session or of its user"
    fields = (
        *("id", "user", "device", "address", "user_agent", "created_at"),
        *("last_used_at", "rotated_at", "expires_at", "ended_at", "end_reason"),
    )


admin.site.unregister(Group)


@admin.register(Group)
class PermissionGroupAdmin(GuardedAdmin, DjangoGroupAdmin):
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
