"""OpenAI's wire format: EdenAI, OpenAI itself, vLLM, llama.cpp, Ollama and others.

A request is sent again only when it certainly cost nothing: no connection was made, or
the provider itself refused it (429, 5xx). From the first byte of an answer on there is no
second try, and none after a connection that broke while we waited. Neither key nor text
is ever logged, nor anything that the provider says.
"""

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pybreaker
import requests
import stamina
import structlog
from django.conf import settings
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from chatbot.providers.faults import (
    Broken,
    CircuitOpen,
    Overloaded,
    ProviderFault,
    ProviderUnavailable,
    StreamInterrupted,
    TimedOut,
    fault_of_status,
)
from chatbot.providers.interface import Prompt
from chatbot.providers.sse import STREAM_MAX, read_events

# Its own hooks would log what a context was called with.
stamina.instrumentation.set_on_retry_hooks(())

TRIES = 3
FAULTS_IN_A_ROW = 5
REST_SECONDS = 30
# More requests than are answered may be open: those that were given up and have not ended.
REQUESTS_MAX = 32

log = structlog.get_logger(__name__)


class _Key(AuthBase):
    """An `auth`, because a plain header could be replaced by one from a .netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Part(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    # `delta` in a stream, `message` in an answer that is none.
    delta: _Part | None = None
    message: _Part | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAIProvider:
    """One server, with its circuit."""

    def __init__(self, base_url: str, key: str) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._key = _Key(key)
        self._requests = threading.BoundedSemaphore(REQUESTS_MAX)
        self._circuit = pybreaker.CircuitBreaker(
            fail_max=FAULTS_IN_A_ROW,
            reset_timeout=REST_SECONDS,
            exclude=[_is_harmless],
            # Whoever asked is told what happened, not that it was once too often.
            throw_new_error_on_trip=False,
        )

    def answer(self, prompt: Prompt) -> Iterator[str | None]:
        """See Provider."""
        if not self._requests.acquire(blocking=False):
            raise Overloaded(again=False)
        try:
            with (
                self._circuit.calling(),
                requests.Session() as session,
                self._ask(session, prompt) as response,
            ):
                yield from _read(response)
        except pybreaker.CircuitBreakerError:
            raise CircuitOpen from None
        finally:
            self._requests.release()

    def _ask(self, session: requests.Session, prompt: Prompt) -> requests.Response:
        """Send the request, again if that costs nothing; the answer, its body not read yet."""
        # No proxies and no passwords out of the environment.
        session.trust_env = False
        for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, ProviderFault) and error.again,
            attempts=TRIES,
            timeout=settings.CHATBOT_FIRST_BYTE_SECONDS,
            wait_initial=0.2,
            wait_jitter=0.2,
        ):
            with attempt:
                return self._ask_once(session, prompt)
        raise AssertionError("a retry context ends by a return or an error")

    def _ask_once(self, session: requests.Session, prompt: Prompt) -> requests.Response:
        try:
            response = session.post(
                self._url,
                json=_body_of(prompt),
                auth=self._key,
                headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
                timeout=(
                    settings.CHATBOT_CONNECT_SECONDS,
                    max(settings.CHATBOT_FIRST_BYTE_SECONDS, settings.CHATBOT_BETWEEN_SECONDS),
                ),
                stream=True,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            if isinstance(error, requests.ConnectTimeout):
                raise ProviderUnavailable from None
            raise TimedOut from None
        except requests.ConnectionError as error:
            raise ProviderUnavailable(again=_was_never_sent(error)) from None
        except requests.RequestException:
            raise Broken from None
        if response.status_code != 200:
            log.warning("bot_provider_refused", status=response.status_code)
            response.close()
            raise fault_of_status(response.status_code)
        return response


def _is_harmless(error: BaseException) -> bool:
    """Whether the circuit takes no notice: the next request may well succeed."""
    return not (isinstance(error, ProviderFault) and error.counts)


def _was_never_sent(error: requests.ConnectionError) -> bool:
    """Whether not even a connection was made."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)


def _body_of(prompt: Prompt) -> dict[str, Any]:
    messages = [{"role": "system", "content": prompt.system}]
    for turn in prompt.turns:
        named = prompt.is_group and turn.role == "user"
        text = f"{turn.name}: {turn.text}" if named else turn.text
        messages.append({"role": turn.role, "content": text})
    return {
        "model": prompt.model,
        "messages": messages,
        "stream": True,
        "max_tokens": settings.CHATBOT_MAX_TOKENS,
    }


def _read(response: requests.Response) -> Iterator[str | None]:
    """The text of an answer, streamed or not."""
    try:
        if response.headers.get("Content-Type", "").startswith("application/json"):
            yield _whole(response)
        else:
            yield from _stream(response)
    except (requests.RequestException, OSError) as error:
        # While a body is read, requests calls a timeout a broken connection.
        late = bool(error.args) and isinstance(error.args[0], ReadTimeoutError)
        raise (TimedOut() if late else StreamInterrupted()) from None


def _whole(response: requests.Response) -> str | None:
    """From a server that does not stream, or that says 200 and means an error."""
    body = b""
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > STREAM_MAX:
            raise Broken
    chunk = _parsed(body)
    parts = [choice.message or choice.delta for choice in chunk.choices]
    text = "".join(part.content or "" for part in parts if part is not None)
    if not text:
        raise Broken
    return text


def _stream(response: requests.Response) -> Iterator[str | None]:
    ended = False
    for data in read_events(response.iter_content(chunk_size=None)):
        if data is None or not data:
            yield None
            continue
        if data == b"[DONE]":
            return
        for choice in _parsed(data).choices[:1]:
            ended = ended or choice.finish_reason is not None
            yield choice.delta.content if choice.delta is not None else None
    # Some servers forget the last line. One that has not said why it stopped was cut off.
    if not ended:
        raise StreamInterrupted


def _parsed(data: bytes) -> _Chunk:
    try:
        chunk = _decode(data)
    except msgspec.MsgspecError:
        raise Broken from None
    if chunk.error:
        raise Broken
    return chunk
