"""What the admins of all apps share: rows to look at, found without reading a whole table.

The rule it guards: no page of the admin costs more the larger a table is, and no address
typed by hand asks more than the page offers. Rows are found by id, which is also their
time; nothing else is sorted by, counted to the end, or filtered by.
"""

from datetime import timedelta
from typing import Any

from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import SuspiciousOperation
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from common.ids import first_id_at, parse_id

ROWS_PER_PAGE = 50
# Who looks for something further down searches for it.
PAGES_MAX = 20


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Knows of PAGES_MAX pages at most, and counts no further."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.per_page * PAGES_MAX].count()


class NewestFirst(ChangeList):  # type: ignore[misc]  # the theme ships no types
    """Never sorted by what the address asks for: other columns have no index."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model]) -> list[str]:
        return list(self.model_admin.get_ordering(request))


class CreatedWithinFilter(SimpleListFilter):
    """Rows made within the last days, by the time in their ids."""

    title = "time made"
    parameter_name = "made"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "in the last day"), ("7", "in 7 days"), ("30", "in 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() not in {"1", "7", "30"}:
            return queryset
        since = timezone.now() - timedelta(days=int(self.value() or 0))
        return queryset.filter(id__gte=first_id_at(since))


class GuardedAdmin(ModelAdmin):  # type: ignore[misc]  # the same
    """Answers no question about a column but those that its filters offer."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Whether the address may ask for this.

        Django allows every column of the model, so that somebody who may not see a column
        could read it letter by letter (`?text__startswith=…`).
        """
        if "\x00" in value:
            return False
        offered = (
            kind if isinstance(kind, str) else kind.parameter_name for kind in self.list_filter
        )
        return any(lookup in {name, f"{name}__exact", f"{name}__isnull"} for name in offered)


class ReadOnlyAdmin(GuardedAdmin):
    """Rows that are only looked at. What may be done to them is an action, by a service."""

    # Numbers to find a row by; each has an index.
    search_ids: tuple[str, ...] = ("id",)
    search_fields: tuple[str, ...] = ("id",)
    search_help_text = "An id, all of it"
    list_filter: tuple[Any, ...] = (CreatedWithinFilter,)
    list_per_page = ROWS_PER_PAGE
    list_max_show_all = 0
    list_disable_select_all = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows with that number, found by an index; Django would compare it as text."""
        if not search_term:
            return queryset, False
        return queryset.filter(self.found_by(search_term)), False

    def found_by(self, term: str) -> Q:
        """Which rows a search is for: none, unless the term is an id."""
        try:
            number = parse_id(term.strip())
        except ValueError:
            return Q(pk__in=())
        return Q.create([(name, number) for name in self.search_ids], connector=Q.OR)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Actions are for rows of one page: nobody means a whole table."""
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                parse_id(chosen)
        except ValueError:
            raise SuspiciousOperation("a row was chosen that no page offers") from None
        if request.POST.get("select_across", "0") != "0":
            raise SuspiciousOperation("the rows of all pages were chosen")
        return super().response_action(request, queryset)

    def log_actions(self, request: HttpRequest, rows: list[Any], message: str) -> None:
        """Note in the history of these rows what was done to them, and by whom."""
        LogEntry.objects.log_actions(request.user.pk or 0, rows, CHANGE, change_message=message)
