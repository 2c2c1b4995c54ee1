"""Users in the admin: to look at, and to shut out. Nothing about them is typed here."""

from django.contrib import admin
from django.http import HttpRequest

from accounts import services
from accounts.models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("username", "id", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "date_joined")
    search_fields = ("username", "username_key", "email_key")
    ordering = ("-date_joined",)
    show_full_result_count = False
    fields = ("username", "id", "email", "is_active", "is_staff", "date_joined", "last_login")
    readonly_fields = ("username", "id", "email", "is_staff", "date_joined", "last_login")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Nobody comes back who was deleted.
        if obj is not None and obj.deleted:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: object,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """The one thing to change here; the service also ends the user's sessions."""
        services.set_user_active(user_id=obj.id, is_active=obj.is_active)
