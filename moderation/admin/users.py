"""Users and their sessions: banning, ending, making staff."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import SessionAdmin, UserAdmin
from accounts.models import Session, User
from conversations.models import Membership
from moderation.admin.actions import ActionAdmin, AdminAction, actor_of
from moderation.models import AuditEntry, Report
from moderation.services import users

admin.site.unregister([User, Session])


@admin.register(User)
class ModeratedUserAdmin(ActionAdmin, UserAdmin):
    """Only superusers type anything here: who is staff, and with which rights."""

    admin_actions = (
        AdminAction(
            name="ban",
            label="Ban, and end all sessions",
            done="banned",
            permission="accounts.change_user",
            act=lambda request, user, form_data: users.ban_user(
                actor=actor_of(request), user_id=user.id, reason=form_data["reason"]
            ),
            is_available=lambda user: user.is_active,
        ),
        AdminAction(
            name="unban",
            label="Let in again",
            done="let in again",
            permission="accounts.change_user",
            act=lambda request, user, form_data: users.unban_user(
                actor=actor_of(request), user_id=user.id, reason=form_data["reason"]
            ),
            is_available=lambda user: not user.is_active and not user.deleted,
        ),
        AdminAction(
            name="reset",
            label="End all sessions",
            done="logged out everywhere",
            permission="accounts.change_session",
            act=lambda request, user, form_data: users.reset_sessions(
                actor=actor_of(request), user_id=user.id, reason=form_data["reason"]
            ),
            is_available=lambda user: not user.deleted,
        ),
    )

    def links(self, row: User) -> Sequence[tuple[str, type[Any], str]]:
        return (
            ("Sessions", Session, f"q={row.id}"),
            ("Memberships", Membership, f"q={row.id}"),
            ("Reports", Report, f"q={row.id}&status=all"),
            ("Audit log", AuditEntry, f"q={row.id}"),
        )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        actor = actor_of(request)
        return actor.is_superuser and (obj is None or users.may_act_on(actor, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return [name for name in self.fields if name not in {"is_staff", "groups"}]

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """By the service: it locks, and writes into the audit log."""
        if {"is_staff", "groups"} & set(form.changed_data):
            users.change_staff(
                actor=actor_of(request),
                user_id=obj.id,
                is_staff=obj.is_staff,
                groups=form.cleaned_data["groups"],
            )

    def save_related(self, *_arguments: Any) -> None:
        """Nothing is left to save: see save_model."""


@admin.register(Session)
class ModeratedSessionAdmin(ActionAdmin, SessionAdmin):
    admin_actions = (
        AdminAction(
            name="end",
            label="End, and close its sockets",
            done="ended",
            permission="accounts.change_session",
            act=lambda request, session, form_data: users.end_session(
                actor=actor_of(request), session_id=session.id, reason=form_data["reason"]
            ),
            is_available=lambda session: session.ended_at is None,
        ),
    )
