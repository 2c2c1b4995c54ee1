"""The figures on the admin's start page: what an operator looks at first.

The rule it guards: the page costs the same however large the tables are. What is counted
is counted to a bound; beyond it PostgreSQL's own estimate is shown, or the bound.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from accounts.models import Session, User
from chatbe.server.metrics_export import values_of
from common.ids import first_id_at
from conversations.models import Message
from moderation.models import Report
from realtime.node import current_node

BOUND = 10_000
VIEW_FIGURES = "moderation.view_figures"


@dataclass(frozen=True, slots=True)
class Figure:
    """One of them; `link` leads to what it counts."""

    label: str
    value: str
    link: str = ""


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the start page, with the figures for who may see them."""
    user: Any = request.user
    if user.has_perm(VIEW_FIGURES):
        context["figures"] = figures()
    return context


def figures() -> list[Figure]:
    """All of them, in a number of queries that never changes by more than their estimates."""
    now = timezone.now()
    hour, day = (first_id_at(now - timedelta(hours=hours)) for hours in (1, 24))
    node = current_node()
    counted = values_of("chat_sockets", "chat_logins_failed_total")
    return [
        Figure("Open reports", _about(_open_reports()), _page("moderation_report")),
        Figure("Users", _about(User.objects.filter(deleted_at=None)), _page("accounts_user")),
        Figure("Users seen in 24 hours", _seen_since(now - timedelta(days=1))),
        Figure("Messages in the last hour", _about(Message.objects.filter(id__gte=hour))),
        Figure("Messages in 24 hours", _about(Message.objects.filter(id__gte=day))),
        Figure("Sockets open on this machine", f"{counted['chat_sockets']:,}"),
        Figure("Processes", f"{node.sharing.known_processes:,}"),
        Figure("Bus between them", "up" if node.bus.up else "down"),
        Figure("Failed logins since the start", f"{counted['chat_logins_failed_total']:,}"),
        Figure("Database", filesizeformat(_database_size())),
        Figure("Free disk", filesizeformat(shutil.disk_usage(settings.DATA_DIR).free)),
    ]


def _open_reports() -> QuerySet[Report]:
    return Report.objects.filter(status=Report.Status.OPEN)


def _page(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def _about(rows: QuerySet[Any]) -> str:
    """How many there are: exactly up to BOUND."""
    rows = rows.order_by()
    count = rows[:BOUND].count()
    if count < BOUND:
        return f"{count:,}"
    if connection.vendor != "postgresql":
        return f"{BOUND:,} or more"
    [plan] = json.loads(rows.values("pk").explain(format="json"))
    return f"about {max(BOUND, plan['Plan']['Plan Rows']):,}"


def _seen_since(moment: Any) -> str:
    """Users who used one of the newest sessions: there is no index by last use, by intent."""
    newest = Session.objects.order_by("-id").values("id")
    users = Session.objects.filter(id__in=newest[:BOUND], last_used_at__gte=moment)
    count = f"{users.values('user_id').distinct().count():,}"
    return f"{count} or more" if newest[BOUND : BOUND + 1].exists() else count


def _database_size() -> int:
    if connection.vendor != "postgresql":
        name = str(connection.settings_dict["NAME"])
        files = (Path(name + end) for end in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])
