"""What a server loads, it loads before anybody waits for it."""

import json

from tests.kit.documents import SERVED
from tests.kit.servers import Installation

# Starts the application as a server does, asks it for something, and says what that imported.
FIRST_REQUEST = """
import asyncio, json, sys
from chatbe.asgi import application

async def first():
    events, answers = asyncio.Queue(), asyncio.Queue()
    life = asyncio.create_task(application({"type": "lifespan"}, events.get, answers.put))
    await events.put({"type": "lifespan.startup"})
    assert (await answers.get())["type"] == "lifespan.startup.complete"
    before = set(sys.modules)
    asked, answer = asyncio.Queue(), asyncio.Queue()
    await asked.put({"type": "http.request", "body": b"", "more_body": False})
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
             "scheme": "http", "path": "/api/v1/conversations", "raw_path": b"/api/v1/conversations",
             "query_string": b"", "root_path": "", "headers": [(b"host", b"localhost")],
             "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 8000)}
    await application(scope, asked.get, answer.put)
    status = (await answer.get())["status"]
    loaded = set(sys.modules) - before
    await events.put({"type": "lifespan.shutdown"})
    await life
    print(json.dumps([status, sorted(loaded)]))

asyncio.run(first())
"""


def test_the_first_request_finds_all_of_the_product_loaded():
    installation = Installation("", "")
    installation.migrate()
    status, loaded = json.loads(installation.run("-c", FIRST_REQUEST).splitlines()[-1])
    assert status == 401
    assert [name for name in loaded if name.split(".")[0] in SERVED] == []
