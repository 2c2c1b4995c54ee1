"""Request bodies: JSON in UTF-8, of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.errors import TooLarge, UnsupportedMedia


class JSONParser(BaseParser):
    """Reads no more than a socket frame may hold (FRAME_BYTES); TooLarge beyond.

    UnsupportedMedia for a body that is encoded (gzip and the like): read as it stands, it
    would be taken for broken JSON.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {}).get("request")
        coding = "" if request is None else request.headers.get("content-encoding", "")
        if coding.strip().lower() not in {"", "identity"}:
            raise UnsupportedMedia("Send the body as it is, without Content-Encoding.")
        body = stream.read(settings.FRAME_BYTES + 1)
        if len(body) > settings.FRAME_BYTES:
            raise TooLarge(f"A request body has at most {settings.FRAME_BYTES} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError("not JSON") from error
