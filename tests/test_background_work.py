"""No work goes on in the background that nobody watches: all of it is run by one module.

A loop, a task, a thread or a callback that is made elsewhere fails here, until it is run by
`common.background` or has a reason below why nothing of it can be lost.
"""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
APPS = (
    *("accounts", "chatbe", "chatbot", "common", "contacts", "conversations", "groups"),
    *("moderation", "presence", "realtime"),
)
HELPERS = ("common/background.py", "common/background_threads.py")
RUNS = {"run_loop", "Worker", "spawn", "run_thread", "spawn_thread", "guard", "call", "call_each"}
STARTS = {
    *("create_task", "ensure_future", "TaskGroup", "Thread", "Timer", "ThreadPoolExecutor"),
    *("to_thread", "run_coroutine_threadsafe", "call_later", "call_at", "call_soon"),
    *("call_soon_threadsafe", "add_done_callback", "while True"),
}

# Somebody awaits the result, and with it what was raised.
AWAITED = "its result is awaited"
# A callback of the event loop that is one call of the library's or sets an event.
ONE_CALL = "a single call; what it raises the event loop's handler reports, and nothing follows it"
# Its end is a condition inside, and it is run by somebody who waits for it.
BOUNDED = "ends by itself, and its caller waits for it"

REASONS = {
    ("accounts/hashers.py", "ThreadPoolExecutor"): AWAITED,
    ("chatbe/asgi.py", "to_thread"): AWAITED,
    ("chatbe/asgi.py", "while True"): "the lifespan protocol; the server waits for its answers",
    ("common/database.py", "ThreadPoolExecutor"): AWAITED,
    ("chatbe/gateway/consumer.py", "call_later"): ONE_CALL,
    ("chatbe/gateway/cursors.py", "call_later"): ONE_CALL,
    ("chatbe/gateway/transports.py", "call_later"): ONE_CALL,
    ("chatbe/server/request_admission.py", "call_soon_threadsafe"): ONE_CALL,
    ("chatbe/server/request_admission.py", "run_coroutine_threadsafe"): AWAITED,
    ("chatbe/server/handshake_throttle.py", "call_soon"): "each that comes in is guarded by itself",
    ("chatbe/server/health.py", "ThreadPoolExecutor"): AWAITED,
    ("chatbe/server/http.py", "ThreadPoolExecutor"): AWAITED,
    ("chatbe/server/http_protocol.py", "call_later"): ONE_CALL,
    ("chatbe/server/metrics_export.py", "call_soon_threadsafe"): AWAITED,
    ("chatbe/server/uvicorn_server.py", "Timer"): "ends the process",
    ("chatbe/server/websocket_connection.py", "call_later"): ONE_CALL,
    ("chatbe/server/websocket_protocol.py", "call_soon"): ONE_CALL,
    ("realtime/repairs.py", "add_done_callback"): ONE_CALL,
    ("realtime/background.py", "Thread"): "runs an event loop, whose handler reports",
    ("realtime/node.py", "call_soon_threadsafe"): ONE_CALL,
    ("realtime/background.py", "run_coroutine_threadsafe"): AWAITED,
    ("realtime/background.py", "call_soon_threadsafe"): ONE_CALL,
    ("chatbot/database.py", "while True"): BOUNDED,
    ("chatbot/worker/provider_stream.py", "while True"): BOUNDED,
    ("conversations/log/batch_commit.py", "while True"): BOUNDED,
    ("conversations/log/receipt_buffer.py", "while True"): BOUNDED,
    ("conversations/selectors/integrity.py", "while True"): BOUNDED,
    ("conversations/selectors/log_streams.py", "while True"): BOUNDED,
    ("conversations/services/bulk_delete.py", "while True"): BOUNDED,
    ("conversations/services/waiting.py", "call_soon_threadsafe"): AWAITED,
    ("conversations/log/worker.py", "ThreadPoolExecutor"): AWAITED,
    ("presence/process.py", "run_coroutine_threadsafe"): AWAITED,
    ("presence/redis_store.py", "while True"): BOUNDED,
}


def product():
    """Every module of the product with its path."""
    for app in APPS:
        for file in sorted((PROJECT / app).rglob("*.py")):
            path = file.relative_to(PROJECT).as_posix()
            if "/tests/" not in path and "/migrations/" not in path and path not in HELPERS:
                yield path, ast.parse(file.read_text())


def name_of(call):
    return getattr(call.func, "attr", None) or getattr(call.func, "id", None)


def is_guarded(call):
    """Whether what is called back goes through the helper."""
    return any(
        isinstance(argument, ast.Call) and name_of(argument) == "guard" for argument in call.args
    )


def started(tree):
    """What a module starts by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value:
            yield "while True"
        elif isinstance(node, ast.Call) and name_of(node) in STARTS and not is_guarded(node):
            yield name_of(node)


def test_nothing_is_started_beside_the_one_place():
    found = {(path, what) for path, tree in product() for what in started(tree)}
    assert found - REASONS.keys() == set(), "run these by common.background"
    assert REASONS.keys() - found == set(), "these are gone: take their reasons out"


def named_work():
    """The name of all work in the product, each with the modules that run it."""
    names: dict[str, set[str]] = {}
    for path, tree in product():
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "common.background"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or name_of(node) not in RUNS:
                continue
            owner = getattr(getattr(node.func, "value", None), "id", None)
            if owner != "background" and getattr(node.func, "id", None) not in imported:
                continue
            name = node.args[0]
            assert isinstance(name, ast.Constant), (path, node.lineno)
            assert isinstance(name.value, str), (path, node.lineno)
            names.setdefault(name.value, set()).add(path)
    return names


def test_all_work_has_a_name_of_its_own_that_is_a_constant():
    """Names are values of a metric's label and what /readyz says."""
    names = named_work()
    assert len(names) > 20
    shared = {name: paths for name, paths in names.items() if len(paths) > 1}
    assert shared.keys() <= {"socket", "send_away"}, shared


@pytest.mark.parametrize(
    "source",
    [
        "loop.create_task(work())",
        "asyncio.ensure_future(work())",
        "threading.Thread(target=work).start()",
        "loop.call_soon(work)",
        "while True:\n    pass",
        "while 1:\n    pass",
        "task.add_done_callback(work)",
    ],
)
def test_what_is_looked_for_is_found(source):
    assert list(started(ast.parse(source)))


def test_what_is_guarded_is_let_be():
    assert not list(started(ast.parse("loop.call_soon(background.guard('n', work))")))
