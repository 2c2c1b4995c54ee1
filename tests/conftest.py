"""What tests in a real browser share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.kit.site import TestSite
from tests.kit.visitor import Visitor


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium, which is not to call home either."""
    return {
        "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture
def arrive(
    site: TestSite, new_context: Callable[..., BrowserContext]
) -> Iterator[Callable[..., Visitor]]:
    """Opens browser windows, each with storage of its own; nothing may go wrong in them."""
    visitors = []

    def open_window(site: TestSite = site, **options: Any) -> Visitor:
        visitor = Visitor(new_context(**options).new_page(), f"{site.server.url}/")
        visitor.watch()
        visitors.append(visitor)
        return visitor

    yield open_window
    assert [visitor.complaints for visitor in visitors] == [[] for _ in visitors]
