"""Whatever people send, a log line is one line, and commands no terminal."""

import logging
import re

import pytest
import structlog

from chatbe.server.logging import configure_logging

pytestmark = pytest.mark.embedded_only

SENT = (
    *("/\x1b[2J\x1b]0;pwned\x07", "a\r\nb", "a\nforged", "\x9b31m", "\x85", "a\tb", "\x00", "\x7f"),
    *("\u2028forged\u2029", "\u202egnp.exe", "\u2066x\u2069", "\ud800", "\b\b\b", "\x0b\x0c"),
)
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(params=["console", "json"])
def shown(request, settings):
    """What a log record looks like in the end."""
    root = logging.getLogger()
    before, level, structured = root.handlers[:], root.level, structlog.get_config()
    settings.LOG_FORMAT = request.param
    configure_logging()
    [handler] = [
        h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    yield handler.formatter.format
    root.handlers[:] = before
    root.setLevel(level)
    # Loggers that were used before keep its list of processors, which others look into.
    structlog.configure(**structured)


def record(event, exc_info=None):
    return logging.LogRecord("x", logging.INFO, "x.py", 1, event, (), exc_info)


@pytest.mark.parametrize("sent", SENT, ids=ascii)
def test_what_is_sent_stands_escaped_in_one_line(shown, sent):
    fields = {"level": "info", "path": sent, sent: "name", "nested": {"a": [sent]}, "pair": (sent,)}
    for event in ({"event": "request", **fields}, {"event": sent}, sent):
        line = shown(record(event))
        assert not CONTROLS.search(line), ascii(line)
        line.encode()


@pytest.mark.parametrize("sent", SENT, ids=ascii)
def test_a_traceback_keeps_its_lines_and_nothing_else(shown, sent):
    try:
        raise ValueError(sent)
    except ValueError as error:
        line = shown(record("failed", (type(error), error, error.__traceback__)))
    assert "ValueError" in line
    assert not CONTROLS.search(line.replace("\n", "")), ascii(line)
