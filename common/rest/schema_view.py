"""The OpenAPI document over HTTP: made once per process, however often it is asked for."""

import threading
from typing import Any

from django.http import HttpResponse
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_making = threading.Lock()
_documents: dict[type[BaseRenderer], bytes] = {}


class SchemaView(SpectacularAPIView):
    """The same document for everybody. Making it takes a second: nobody makes a second one."""

    # No part of the interface it describes.
    schema = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: BaseRenderer = request.accepted_renderer
        document = _documents.get(type(renderer))
        if document is None:
            with _making:
                document = _documents.get(type(renderer)) or self._document(request, renderer)
        answer = HttpResponse(document, content_type=renderer.media_type)
        answer["Content-Disposition"] = f'inline; filename="chat.{renderer.format}"'
        return answer

    def _document(self, request: Request, renderer: BaseRenderer) -> bytes:
        generator: Any = self.generator_class()
        made: Any = renderer.render(generator.get_schema(public=True), renderer_context={})
        _documents[type(renderer)] = made if isinstance(made, bytes) else made.encode()
        return _documents[type(renderer)]
