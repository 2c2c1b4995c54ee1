"""A stand-in for an AI provider: OpenAI's wire format over a real socket, with every fault.

    with StandIn() as provider:
        ...  # provider.base_url, provider.requests

What it does with a request the name of the model says: see BEHAVIOURS. All requests are
kept, so that a test can count what would have been billed and look for what must not leave.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KEY = "sk-canary-4f1d9c3b7a"
# What a provider says of itself in errors: nobody may ever be shown it.
RAW = "upstream quota of account acct_77 at 10.1.2.3"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: StandInServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v3/chat/completions":
            self.refuse(404)
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            self.refuse(401)
        elif not {"model", "messages"} <= set(body):
            self.refuse(422)
        else:
            self.server.requests.append(body)
            behaviour = getattr(self, body["model"].replace("-", "_"))
            behaviour(body["messages"][-1]["content"])

    # --- behaviours -------------------------------------------------------------------------

    def echo(self, asked: str) -> None:
        self.stream(["You ", "said: ", asked])

    def throttled(self, asked: str) -> None:
        """Too many requests, but only once for each question."""
        self.server.seen[asked] += 1
        self.refuse(429) if self.server.seen[asked] == 1 else self.echo(asked)

    def busy(self, asked: str) -> None:
        self.refuse(429)

    def failing(self, asked: str) -> None:
        self.refuse(500)

    def penniless(self, asked: str) -> None:
        self.refuse(402)

    def locked(self, asked: str) -> None:
        self.refuse(403)

    def redirecting(self, asked: str) -> None:
        self.send_response(307)
        self.send_header("Location", f"{self.server.base_url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def hanging(self, asked: str) -> None:
        self.server.stop.wait(30)
        self.close_connection = True

    def reset(self, asked: str) -> None:
        """Took the request, and is gone before a byte of the answer."""
        self.close_connection = True

    def stuck(self, asked: str) -> None:
        """Begins, and then says nothing more."""
        self.begin()
        self.piece("I was about to")
        self.server.stop.wait(30)
        self.close_connection = True

    def dribbling(self, asked: str) -> None:
        """Always there, and never with an answer."""
        self.begin()
        while not self.server.stop.wait(0.1):
            self.chunk(b": still there\n\n")

    def cut(self, asked: str) -> None:
        self.begin()
        self.piece("Half an answer")
        self.close_connection = True

    def unfinished(self, asked: str) -> None:
        """Ends in good order, but never said that it was done."""
        self.begin()
        self.piece("Half an answer")
        self.chunk(b"")

    def no_end(self, asked: str) -> None:
        """Forgets the last line."""
        self.begin()
        self.piece("All of it", finish="stop")
        self.chunk(b"")

    def error_in_200(self, asked: str) -> None:
        self.whole({"error": {"type": "server_error", "message": RAW}})

    def error_in_stream(self, asked: str) -> None:
        self.begin()
        self.piece("It begins well")
        self.event({"error": RAW})
        self.chunk(b"")

    def garbage(self, asked: str) -> None:
        self.begin()
        self.chunk(b"data: <html>" + RAW.encode() + b"\n\n")
        self.chunk(b"")

    def not_streaming(self, asked: str) -> None:
        self.whole({"choices": [{"message": {"role": "assistant", "content": "All at once"}}]})

    def slow(self, asked: str) -> None:
        """Ten words a second, for as long as somebody listens."""
        self.begin()
        for number in range(300):
            self.piece(f"word{number} ")
            if self.server.stop.wait(0.1):
                return
        self.end()

    def rude(self, asked: str) -> None:
        """What no message may hold, and what looks like more than text."""
        self.stream(["a\x00b", "\u202ec", " <img src=x> ![](http://x/y) \U0001f600"])

    # --- how answers are written ------------------------------------------------------------

    def refuse(self, status: int) -> None:
        self.whole({"detail": [{"loc": ["body"], "msg": RAW, "type": "t"}], "error": RAW}, status)

    def whole(self, answer: Any, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, pieces: list[str]) -> None:
        self.begin()
        for piece in pieces:
            self.piece(piece)
        self.end()

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})

    def piece(self, text: str, finish: str | None = None) -> None:
        self.event({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})

    def end(self) -> None:
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.event({"choices": [], "usage": {"total_tokens": 7}})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, data: Any) -> None:
        self.chunk(b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


class StandInServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.seen: Counter[str] = Counter()
        self.stop = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v3"

    def handle_error(self, *_arguments: Any) -> None:
        """Clients that go away are what this is for."""


class StandIn:
    """The server in a thread."""

    def __init__(self) -> None:
        self._server = StandInServer()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all requests that were understood."""
        return list(self._server.requests)

    def about(self, text: str) -> list[dict[str, Any]]:
        """Those whose question is this."""
        return [body for body in self.requests if body["messages"][-1]["content"].endswith(text)]

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Return once somebody has asked this."""
        until = time.monotonic() + seconds
        while not self.about(text):
            assert time.monotonic() < until, f"nobody asked {text!r}"
            time.sleep(0.02)


MODELS = [
    name.replace("_", "-")
    for name, part in vars(Handler).items()
    if callable(part) and "asked" in getattr(part, "__code__", Handler.refuse.__code__).co_varnames
]
