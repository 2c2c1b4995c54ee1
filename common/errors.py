"""The one table of errors, the same over REST and over the socket.

    ChatError
    ├── BadFrame            bad_frame            400
    ├── UnknownCommand      unknown_command      400
    ├── InvalidInput        invalid              400
    ├── Unauthenticated     unauthenticated      401   closes 4501
    ├── WrongCredentials    wrong_credentials    401   closes 4502
    ├── SessionEnded        session_ended        401   closes 4503
    ├── OriginRefused       origin_refused       403   closes 4504
    ├── Forbidden           forbidden            403
    ├── Banned              banned               403
    ├── NotFound            not_found            404
    ├── MethodNotAllowed    method_not_allowed   405
    ├── NotAcceptable       not_acceptable       406
    ├── HelloTimeout        hello_timeout        408   closes 4001
    ├── Conflict            conflict             409
    ├── ClientIdReused      client_id_reused     409
    ├── TooLarge            too_large            413
    ├── UnsupportedMedia    unsupported_media    415
    ├── TooManySockets      too_many_sockets     429   closes 4002
    ├── TooManyCommands     too_many_commands    429   closes 4005
    ├── RateLimited         rate_limited         429
    ├── Internal            internal             500
    ├── GoingAway           going_away           503   closes 4003
    ├── TooSlow             too_slow             503   closes 4004
    └── Unavailable         unavailable          503

Close codes 4000-4499 mean "reconnect" (4002: once the user turns to the client again),
4500-4999 mean "do not". An error without a close code leaves its socket open. `retry` says
whether the same request may succeed later without any change.
"""

from collections.abc import Iterator, Mapping

from common.database_errors import is_passing

# What the database cannot do now is tried again after so many seconds.
DATABASE_RETRY_SECONDS = 1.0


class ChatError(Exception):
    """A refused request, as the caller sees it.

    `fields` maps names of the request's fields to what is wrong with them;
    `retry_after` is in seconds. Neither may hold anything the caller must not know.
    """

    code = "internal"
    status = 500
    retry = False
    close_code: int | None = None
    # Whether a client whose socket was closed with a code below 4500 connects again by itself.
    comes_back = True
    message = "Internal server error."

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        if message is not None:
            self.message = message
        self.fields = dict(fields) if fields else None
        self.retry_after = retry_after
        super().__init__(self.message)

    def body(self) -> dict[str, object]:
        """The error in JSON, for REST and socket: code, message, retry and any details."""
        body: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "retry": self.retry,
        }
        if self.fields:
            body["fields"] = self.fields
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        return body


class BadFrame(ChatError):
    code = "bad_frame"
    status = 400
    message = "A frame must be a text frame that holds one JSON object."


class UnknownCommand(ChatError):
    code = "unknown_command"
    status = 400
    message = "Unknown command."


class InvalidInput(ChatError):
    code = "invalid"
    status = 400
    message = "The request is not valid."


class Unauthenticated(ChatError):
    code = "unauthenticated"
    status = 401
    close_code = 4501
    message = "Authenticate first."


class WrongCredentials(ChatError):
    code = "wrong_credentials"
    status = 401
    close_code = 4502
    message = "These credentials are not valid."


class SessionEnded(ChatError):
    code = "session_ended"
    status = 401
    close_code = 4503
    message = "This session has ended. Log in again."


class OriginRefused(ChatError):
    code = "origin_refused"
    status = 403
    close_code = 4504
    message = "Sockets are not accepted from this origin."


class Forbidden(ChatError):
    code = "forbidden"
    status = 403
    message = "You may not do this."


class Banned(ChatError):
    code = "banned"
    status = 403
    message = "This account is banned from this server."


class NotFound(ChatError):
    code = "not_found"
    status = 404
    message = "Not found."


class MethodNotAllowed(ChatError):
    code = "method_not_allowed"
    status = 405
    message = "This method is not allowed here."


class NotAcceptable(ChatError):
    code = "not_acceptable"
    status = 406
    message = "Responses are JSON only."


class HelloTimeout(ChatError):
    code = "hello_timeout"
    status = 408
    retry = True
    close_code = 4001
    message = "No valid hello arrived in time."


class Conflict(ChatError):
    code = "conflict"
    status = 409
    message = "This conflicts with the current state."


class ClientIdReused(ChatError):
    code = "client_id_reused"
    status = 409
    message = "This client_id was already used for another message."


class TooLarge(ChatError):
    code = "too_large"
    status = 413
    message = "This is larger than allowed."


class UnsupportedMedia(ChatError):
    code = "unsupported_media"
    status = 415
    message = "Send JSON."


class TooManySockets(ChatError):
    code = "too_many_sockets"
    status = 429
    retry = True
    close_code = 4002
    # Faithful clients would push each other out for ever.
    comes_back = False
    message = "Too many open sockets: a newer one replaced this one."


class TooManyCommands(ChatError):
    code = "too_many_commands"
    status = 429
    retry = True
    close_code = 4005
    message = "Too many frames: you kept sending far more than is allowed."


class RateLimited(ChatError):
    code = "rate_limited"
    status = 429
    retry = True
    message = "Too many requests."


class Internal(ChatError):
    code = "internal"
    status = 500


class GoingAway(ChatError):
    code = "going_away"
    status = 503
    retry = True
    close_code = 4003
    message = "This server is stopping. Reconnect."


class TooSlow(ChatError):
    code = "too_slow"
    status = 503
    retry = True
    close_code = 4004
    message = "You read too slowly. Reconnect."


class Unavailable(ChatError):
    code = "unavailable"
    status = 503
    retry = True
    message = "Not possible right now. Try the same request again."


def error_table() -> Iterator[type[ChatError]]:
    """Every error, in the order of the table above."""
    yield from ChatError.__subclasses__()


def as_chat_error(error: BaseException) -> ChatError:
    """The error that the caller sees for any exception; the original is for the log.

    A database that is away, busy or full is `unavailable` (`common.database_errors`);
    anything unforeseen is `internal`.
    """
    if isinstance(error, ChatError):
        return error
    if is_passing(error):
        return Unavailable(retry_after=DATABASE_RETRY_SECONDS)
    return Internal()
