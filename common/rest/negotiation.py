"""Which answer a client would take, in all the ways there are to say "any"."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation


class Negotiation(DefaultContentNegotiation):
    """REST framework's, that takes an empty `Accept` and a lone star for no wish at all."""

    def get_accept_list(self, request: Any) -> list[str]:
        header: str = request.headers.get("accept", "")
        if not header.replace(",", "").strip():
            return ["*/*"]
        tokens: list[str] = super().get_accept_list(request)
        # Java's own client has sent `*; q=.2` for thirty years.
        return ["*/" + token if token.split(";")[0].strip() == "*" else token for token in tokens]
