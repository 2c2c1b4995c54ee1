"""What moderators may do in the admin, beside looking: each of these modules registers its pages."""

from moderation.admin import audit, groups, messages, reports, users

__all__ = ["audit", "groups", "messages", "reports", "users"]
