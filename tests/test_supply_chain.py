"""What the server is made of: pinned, listed, not too old, and without the usual traps (S32)."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chatbe.server import packages

# Nothing here asks a database.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

PROJECT = Path(__file__).resolve().parent.parent
PRODUCT = [
    path
    for folder in PROJECT.iterdir()
    if folder.is_dir() and folder.name not in {"benchmarks", "tools", "tests", "docs", "deploy"}
    for path in folder.rglob("*.py")
    if not {"tests", ".venv", "var"} & {*path.relative_to(PROJECT).parts}
]
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[\w,]+\])?==(\S+)", re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_with_hashes(name):
    text = (PROJECT / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.partition("\n\n")[2] or text)
    entries = [entry for entry in entries if PINNED.match(entry)]
    assert len(entries) > 40
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    # Neither another index nor an address to fetch from.
    assert not re.search(
        r"^(-i|--index-url|--extra-index-url|-e)\b|@ http|git\+", text, re.MULTILINE
    )


def test_the_bill_of_materials_names_what_is_installed(tmp_path):
    made = tmp_path / "sbom.json"
    command = re.search(
        r"^\t\$\(BIN\)/(cyclonedx-py .*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE
    )
    argv = command.group(1).replace("sbom.json", str(made)).split()
    argv[0] = str(Path(sys.executable).with_name(argv[0]))
    subprocess.run(argv, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    listed = {
        (component["name"], component["version"])
        for component in json.loads(made.read_text())["components"]
    }
    assert listed == set(PINNED.findall((PROJECT / "requirements.txt").read_text()))


def test_a_server_does_not_start_on_packages_that_are_too_old(monkeypatch):
    assert list(packages.package_problems()) == []
    installed = {**packages.LEAST, "daphne": "4.2.1", "uvicorn": "0.52.0"}
    monkeypatch.setattr(packages, "version", installed.__getitem__)
    assert [problem.split()[2] for problem in packages.package_problems()] == ["daphne", "uvicorn"]


def test_the_least_versions_are_those_that_are_asked_for():
    asked = re.findall(
        r"^([a-z-]+)(?:\[\w+\])?(?:>=|~=)([\d.]+)",
        (PROJECT / "requirements.in").read_text(),
        re.MULTILINE,
    )
    assert dict(asked) == packages.LEAST


# --- what a reviewer would look for in every change


def calls(path):
    """Every call in a file: the dotted name of what is called, and the call."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


FORBIDDEN = {
    # Redis' and clients' bytes are parsed, never revived.
    "pickle.loads": "runs what it reads",
    "pickle.load": "runs what it reads",
    "marshal.loads": "runs what it reads",
    "yaml.load": "runs what it reads: safe_load",
    "yaml.unsafe_load": "runs what it reads: safe_load",
    "eval": "runs what it reads",
    "exec": "runs what it reads",
    "os.system": "takes a shell",
    "os.popen": "takes a shell",
    "mark_safe": "escapes nothing: format_html",
    "csrf_exempt": "opens a form to other sites",
    "random.choice": "can be guessed: secrets",
    "random.randbytes": "can be guessed: secrets",
    "urllib.request.urlopen": "takes file: and has no limits: requests",
}


def test_the_product_calls_nothing_that_opens_a_hole():
    found = [
        f"{path.relative_to(PROJECT)}:{node.lineno} {name} {FORBIDDEN[name]}"
        for path in PRODUCT
        for name, node in calls(path)
        if name in FORBIDDEN
    ]
    assert found == []


def test_calls_to_other_servers_have_a_deadline_and_check_certificates():
    for path in PRODUCT:
        for name, node in calls(path):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            place = f"{path.relative_to(PROJECT)}:{node.lineno}"
            assert keywords.get("verify") != "False", place
            assert keywords.get("shell") != "True", place
            if re.fullmatch(r"requests\.(get|post|put|patch|delete|request)", name):
                assert "timeout" in keywords, place


def test_templates_escape_and_scripts_never_write_markup():
    pages = [*PROJECT.glob("templates/**/*.html"), *PROJECT.glob("*/templates/**/*.html")]
    scripts = [p for p in PROJECT.glob("static/**/*.js") if "vendor" not in p.parts]
    assert pages
    assert scripts
    for page in pages:
        unescaped = re.findall(r"{{[^}]*\|\s*safe\w*|{%\s*autoescape\s+off", page.read_text())
        # A picture of our own making, of a secret of our own making.
        assert unescaped in ([], ["{{ picture|safe"] * (page.name == "second_factor.html")), page
    for script in scripts:
        written = re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
            script.read_text(),
        )
        assert written is None, script


def test_only_these_views_are_open_to_anybody():
    open_to_all = {
        str(path.relative_to(PROJECT)) for path in PRODUCT if "AllowAny" in path.read_text()
    }
    assert open_to_all == {
        "accounts/views/auth.py",
        "chatbe/legacy_v1/views.py",
        "chatbe/settings/frameworks.py",
    }
