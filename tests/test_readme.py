"""What README.md and docs/ tell people to do works, and names things that exist.

Blocks marked `bash` are run as they stand, and so is the `python` one; blocks marked `sh`
start servers or install packages and are only looked at.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.stage import Stage

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text()
EXAMPLE = PROJECT / "docs" / "examples" / "chat.py"
PAGES = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *PROJECT.glob("docs/**/*.md")])
ADDRESS = "127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def spoken():
    """Where the answers of the curl conversation are kept, for the test after it."""
    return []


@pytest.fixture
def curled(served: Stage, spoken):
    """The answers of the first conversation, which happens once."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    if not spoken:
        [script] = blocks("bash")
        done = subprocess.run(
            ["bash", "-euo", "pipefail"],
            input="TOKEN=\n" + script.replace(ADDRESS, served.address),
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


def test_two_people_chat_with_the_python_example(served, curled, tmp_path):
    [code] = blocks("python")
    program = tmp_path / "chat.py"
    program.write_text(code.replace(ADDRESS, served.address))
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


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_files_that_are_named_exist(document):
    text = document.read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    names = re.findall(r"`((?:accounts|chatbe|contacts|conversations|docs|static)/[\w./-]+)`", text)
    assert [name for name in names if not (PROJECT / name).exists()] == []


def test_every_folder_has_its_line():
    told = set(re.findall(r"`([a-z]+)/`", README))
    kept = {path.parent.name for path in PROJECT.glob("*/__init__.py")} | {"docs", "static"}
    assert kept <= told
    assert all((PROJECT / name).is_dir() for name in told - {"var"})
