"""Which hosts are answered for: those of ALLOWED_HOSTS, and any where health is asked for."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware

# Load balancers and monitoring call a server by its address, or by none at all. What these
# say is the same under any name, and leads nowhere.
MONITORING = frozenset({"/healthz", "/healthz/", "/readyz", "/metrics", "/metrics/"})


class HostMiddleware(CommonMiddleware):
    """Django's, which refuses other hosts, but not for what monitoring asks."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info in MONITORING:
            return None
        return super().process_request(request)
