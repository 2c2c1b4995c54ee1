"""The REST API of reports."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from common.errors import NotFound, RateLimited
from common.rest.fields import read_body
from common.rest.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from common.rest.schema import operation
from moderation import selectors
from moderation.serializers import MakeReportSerializer, ReportSerializer
from moderation.services.reports import report_message, report_user


class ReportsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("ReportPage", ReportSerializer)}
    )
    def get(self, request: Request) -> Response:
        """Your reports, newest first."""
        rows = selectors.list_reports(session_of(request).user_id)
        return Response(
            page_of(
                rows,
                read_page(request),
                lambda r: ReportSerializer(r, many=True).data,
                newest_first=True,
            )
        )

    @operation(
        request=MakeReportSerializer,
        answers={200: ReportSerializer, 201: ReportSerializer},
        refusals=[NotFound, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Report a message that you can see, or a user; 200 if your report of it is still open."""
        body = read_body(MakeReportSerializer, request)
        file = report_user if "user_id" in body else report_message
        report, made = file(reporter=session_of(request).user, **body)
        return Response(
            ReportSerializer(report).data,
            status.HTTP_201_CREATED if made else status.HTTP_200_OK,
        )
