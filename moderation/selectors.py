"""Reads about reports."""

from django.db.models import QuerySet

from moderation.models import Report


def list_reports(reporter_id: int) -> QuerySet[Report]:
    """What somebody has reported."""
    return Report.objects.filter(reporter_id=reporter_id).defer("evidence", "note")
