"""What README.md and docs/ tell people to do works, and names things that exist.

Blocks marked `bash` are run as they stand, and so is the `python` one; of the blocks marked
`sh`, which start servers or install packages, each command has its place in COMMANDS.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.core.management import get_commands
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.kit.documents import done_targets
from tests.kit.site import TestSite
from tools.processes import free_port

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text()
EXAMPLE = PROJECT / "docs" / "examples" / "chat.py"
PAGES = sorted(
    page
    for page in PROJECT.rglob("*.md")
    # What is installed, kept or made beside the project is not of it.
    if not {"var", "node_modules"} & set(page.relative_to(PROJECT).parts)
    and not any(part.startswith(".") for part in page.relative_to(PROJECT).parts)
)
ADDRESS = "127.0.0.1:8000"


# How each command of the `sh` blocks is tried here.
COMMANDS = {
    r"apt-get install -y make git python3-venv": "not at all: it changes the machine",
    r"make run": "test_make_run_starts_the_chat_as_described",
    r"make test": "test_every_target_of_make_can_be_made",
    r"\.venv/bin/python docs/examples/chat\.py \w+ '[^']+' \w+": "test_two_people_chat_with_the_"
    "python_example",
}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def untried(text: str) -> list[str]:
    """The commands in a document's blocks that no test here tries."""
    whole = len(blocks(r"(?:sh|bash|python)", text)) == len(blocks(r"[^\n]*", text))
    found = [] if whole else ["a block in another language"]
    for block in blocks("sh", text):
        for line in block.splitlines():
            command = line.partition(" #")[0].strip()
            if command and not any(re.fullmatch(known, command) for known in COMMANDS):
                found.append(command)
    return found


def test_every_command_of_the_readme_is_tried():
    assert untried(README) == []
    for test in COMMANDS.values():
        assert test in globals() or test.startswith("not at all: ")


def test_a_command_that_is_not_tried_is_found():
    for language, command in (("sh", "make coffee"), ("sh", "rm -rf ."), ("sh", "make run x")):
        assert untried(f"{README}\n```{language}\n{command}  # now\n```\n") == [command]
    assert untried(f"{README}\n```console\n$ make run\n```\n") == ["a block in another language"]


@pytest.fixture
def make(tmp_path):
    """Runs make on the project, where everything seems to be installed already."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for stamp in ("runtime.stamp", "dev.stamp"):
        (tmp_path / "venv" / stamp).touch()

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["make", "--no-print-directory", f"VENV={tmp_path}/venv", *arguments],
            cwd=PROJECT,
            # `make test` starts us: its own arguments are not those of this make.
            env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "MAKEFLAGS": ""},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


@pytest.mark.embedded_only
def test_make_run_starts_the_chat_as_described(make):
    port = free_port()
    running = make("run", f"PORT={port}")
    try:
        printed = "".join(iter_until(running, "Socket"))
        [(name, password)] = re.findall(r"^ +(alice) +(\S+)$", printed, re.MULTILINE)
        shown = re.findall(rf"http://127\.0\.0\.1:{port}\S*", printed)
        told = re.findall(r"<(http://127\.0\.0\.1:8000/[^>]*)>", README)
        assert sorted(shown) == sorted(url.replace(":8000", f":{port}") for url in told)
        wait_until_ready(port)
        assert [requests.get(url, timeout=30).status_code for url in shown] == [200] * 3
        login = {"login": name, "password": password}
        url = f"http://127.0.0.1:{port}/api/v1/auth/login"
        assert requests.post(url, json=login, timeout=30).status_code == 200
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.communicate(timeout=40)


def iter_until(process: subprocess.Popen[str], word: str) -> Iterator[str]:
    """The lines it prints, up to the one with this word."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if word in line:
            return
    raise AssertionError(f"never printed {word!r}")


def wait_until_ready(port: int) -> None:
    adapter = HTTPAdapter(max_retries=Retry(total=300, backoff_factor=0.1, backoff_max=0.2))
    with requests.Session() as session:
        session.mount("http://", adapter)
        assert session.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200


def test_make_alone_lists_what_can_be_made(make):
    listed = make().communicate(timeout=60)[0]
    assert re.findall(r"^  make ([a-z-]+)", listed, re.MULTILINE) == ["help", *done_targets()]


def test_every_target_of_make_can_be_made(make):
    for target in done_targets():
        # Only what it would do: the rest of the tests does some of it.
        planned = make("--dry-run", target)
        lines = planned.communicate(timeout=60)[0]
        assert planned.returncode == 0, target
        for module in re.findall(r"python -m ((?:tools|benchmarks|tests)[\w.]*)", lines):
            place = PROJECT / module.replace(".", "/")
            assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


def test_the_first_screen_says_what_it_is_and_how_to_run_and_see_it():
    first = README.splitlines()[:24]
    assert first[0].startswith("# ")
    assert first[2].startswith("A self-hosted chat backend")
    assert "make run" in first
    assert any("<http://127.0.0.1:8000/>" in line for line in first)


@pytest.fixture(scope="module")
def spoken():
    """Where the answers of the curl conversation are kept, for the test after it."""
    return []


@pytest.fixture
def curled(site: TestSite, spoken):
    """The answers of the first conversation, which happens once."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    if not spoken:
        [script] = blocks("bash")
        done = subprocess.run(
            ["bash", "-euo", "pipefail"],
            input="TOKEN=\n" + script.replace(ADDRESS, site.address),
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        spoken += [json.loads(line) for line in done.stdout.splitlines() if line]
    return spoken


def test_the_first_conversation_happens_as_described(curled):
    dora, emil, first, again, history = curled
    assert [dora["user"]["username"], emil["user"]["username"]] == ["dora", "emil"]
    assert first["text"] == "hello emil"
    assert first["seq"] == 1
    assert again == first
    assert history == {"results": [first], "head": 1}


def test_two_people_chat_with_the_python_example(site, curled, tmp_path):
    [code] = blocks("python")
    program = tmp_path / "chat.py"
    program.write_text(code.replace(ADDRESS, site.address))
    dora, emil = (
        subprocess.Popen(
            [sys.executable, "-W", "error", program, *people],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for people in re.findall(r"chat\.py (\w+) '([^']+)' (\w+)", README)
    )
    with dora, emil:
        try:
            said(dora, "is it you?")
            hears(dora, "#2 dora: is it you?")
            said(emil, "it is")
            hears(emil, "#3 emil: it is")
            hears(dora, "#3 emil: it is")
        finally:
            dora.terminate()
            emil.terminate()


def said(client: subprocess.Popen[str], line: str) -> None:
    assert client.stdin is not None
    client.stdin.write(f"{line}\n")


def hears(client: subprocess.Popen[str], line: str) -> None:
    """Read on up to this line. Who connects first also hears what came before it."""
    assert client.stdout is not None
    assert any(heard.rstrip() == line for heard in client.stdout), f"never heard {line!r}"


def test_the_example_is_shown_in_full():
    assert blocks("python") == [EXAMPLE.read_text()]


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_commands_that_are_named_exist(document):
    text = document.read_text()
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= set(get_commands())


def dead_links(document: Path, text: str) -> list[str]:
    """The links of a page to files or headings that are not there."""
    dead = []
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text):
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (heading and heading not in headings(target)):
            dead.append(link)
    return dead


def headings(page: Path) -> list[str]:
    """A page's headings, as links name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found]


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_files_that_are_named_exist(document):
    text = document.read_text()
    assert dead_links(document, text) == []
    names = re.findall(
        r"`((?:accounts|chatbe|contacts|conversations|moderation|docs|static)/[\w./-]+)`", text
    )
    assert [name for name in names if not (PROJECT / name).exists()] == []


def test_a_dead_link_is_found():
    readme = PROJECT / "README.md"
    for link in ("docs/nothing.md", "docs/protocol.md#nothing", "#nothing", "../nothing"):
        assert dead_links(readme, f"see [this]({link})") == [link]
    for link in ("docs/protocol.md#the-cursor-rule", "#run-it", "docs", "https://example.org"):
        assert dead_links(readme, f"see [this]({link})") == []


def test_every_folder_has_its_line():
    told = set(re.findall(r"`([a-z]+)/`", README))
    kept = {path.parent.name for path in PROJECT.glob("*/__init__.py")} | {"docs", "static"}
    assert kept <= told
    assert all((PROJECT / name).is_dir() for name in told - {"var"})
