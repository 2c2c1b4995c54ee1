"""Request bodies: JSON in UTF-8, of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from chatbe.core.errors import TooLarge


class JSONParser(BaseParser):
    """Reads no more than a socket frame may hold (FRAME_BYTES); TooLarge beyond."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(settings.FRAME_BYTES + 1)
        if len(body) > settings.FRAME_BYTES:
            raise TooLarge(f"A request body has at most {settings.FRAME_BYTES} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError("not JSON") from error
