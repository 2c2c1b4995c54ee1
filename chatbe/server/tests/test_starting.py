"""What keeps a server from starting outside of its settings, in words; and what it keeps private."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatbe.server.listening import CannotListen, exposure, listen_on, url_of
from chatbe.server.preflight import setting_problems, startup_problems
from common import data_dir
from common.environment import Environment
from common.secrets_file import read_or_create

pytestmark = pytest.mark.embedded_only

PROJECT = Path(__file__).resolve().parents[3]


def run(*arguments, **environment):
    """Run a command as somebody with nothing else set; its exit code and all it said."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


# --- DATA_DIR -------------------------------------------------------------------------


def test_what_others_could_read_is_closed_to_them(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    made = [
        folder / name for name in ("chat.sqlite3", "chat.sqlite3-wal", "secret_key", "server.lock")
    ]
    for path, mode in zip(made, (0o644, 0o664, 0o600, 0o666), strict=True):
        path.write_text("x" * 60)
        path.chmod(mode)
    data_dir.prepare(folder, database=folder / "chat.sqlite3")
    assert mode_of(folder) == 0o700
    assert {mode_of(path) for path in made} == {0o600}
    assert mode_of(folder / "static") == 0o700


@pytest.mark.parametrize("how", ["sticky", "with others' folders", "above the project"])
def test_a_folder_that_others_need_keeps_its_permissions(tmp_path, monkeypatch, how):
    folder = tmp_path / "shared"
    (folder / "project").mkdir(parents=True)
    folder.chmod(0o755)
    if how == "sticky":
        (folder / "project").rmdir()
        folder.chmod(0o1777)
    if how == "above the project":
        monkeypatch.setattr(data_dir, "_PROJECT", folder / "project")
    for name in ("manage.py", "chat.sqlite3", "secret_key"):
        (folder / name).touch()
        (folder / name).chmod(0o755)
    before = mode_of(folder)
    data_dir.prepare(folder, database=folder / "chat.sqlite3")
    assert mode_of(folder) == before
    assert mode_of(folder / "manage.py") == 0o755
    assert mode_of(folder / "chat.sqlite3") == mode_of(folder / "secret_key") == 0o600


def test_an_empty_name_is_no_folder():
    code, said = run(
        "shell", "-c", "from django.conf import settings; print(settings.DATA_DIR)", DATA_DIR=" "
    )
    assert (code, said.splitlines()[-1]) == (0, str(PROJECT / "var"))


def test_all_that_a_server_writes_is_for_its_own_account(tmp_path):
    folder = tmp_path / "data"
    code, said = run("migrate", "--verbosity", "0", DATA_DIR=str(folder))
    assert (code, said) == (0, "")
    found = {path.name: mode_of(path) for path in folder.iterdir()}
    assert mode_of(folder) == found.pop("static") == 0o700
    assert set(found) >= {"chat.sqlite3", "secret_key", "signing_key", "content_hash_key"}
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "may not write there"),
        (errno.EPERM, "may not write there"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_the_reason(tmp_path, monkeypatch, number, said):
    folder = tmp_path / "data"

    def refuse(self, *_arguments, **_options):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ImproperlyConfigured) as refused:
        data_dir.prepare(folder, database=None)
    assert str(refused.value).startswith(f"DATA_DIR cannot be used: {folder}: ")
    assert said in str(refused.value)


def test_a_secret_that_cannot_be_stored_is_said(tmp_path, monkeypatch):
    def refuse(path, *_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ImproperlyConfigured) as refused:
        read_or_create(tmp_path, "secret_key")
    assert "no space is left" in str(refused.value)


@pytest.mark.parametrize("name", ["chat.sqlite3", ""])
def test_a_database_that_cannot_be_written_is_named(tmp_path, monkeypatch, name):
    (tmp_path / "chat.sqlite3").touch()
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, how: Path(path) != tmp_path / name and allowed(path, how)
    )
    with pytest.raises(ImproperlyConfigured) as refused:
        data_dir.prepare(tmp_path, database=tmp_path / "chat.sqlite3")
    assert str(tmp_path / name) in str(refused.value)
    # Of a server on PostgreSQL nothing is there to be written.
    data_dir.prepare(tmp_path, database=None)


@pytest.mark.parametrize("command", ["serve", "migrate", "seed_demo"])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere"])
def test_no_command_answers_with_a_traceback(tmp_path, command, place):
    (tmp_path / "file").touch()
    code, said = run(command, DATA_DIR=str(tmp_path / place))
    assert code == 1
    assert said.startswith(f"Not started. DATA_DIR cannot be used: {tmp_path / place}")
    assert said.count("\n") == 1


def test_a_database_that_is_none_is_said(tmp_path):
    (tmp_path / "chat.sqlite3").write_text("no database at all" * 99)
    code, said = run("serve", DATA_DIR=str(tmp_path))
    assert code == 1
    assert f"{tmp_path}/chat.sqlite3: file is not a database" in said
    assert "Traceback" not in said


# --- the environment ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PRODUCTION", "ture", "PRODUCTION must be true or false"),
        ("DATABASE_THREADS", "eight", "DATABASE_THREADS must be a whole number"),
        ("PING_SECONDS", "20s", "PING_SECONDS must be a number"),
        ("TIME_ZONE", "Mars/Base", "TIME_ZONE must be the name of a time zone"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of"),
    ],
)
def test_a_value_that_cannot_be_one_is_named(tmp_path, name, value, said):
    code, output = run("check", DATA_DIR=str(tmp_path), **{name: value})
    assert code == 1
    assert output.startswith(f"Not started. {said}")
    assert value in output
    assert "Traceback" not in output


def test_line_ends_from_windows_and_spaces_are_no_part_of_a_value(monkeypatch):
    env = Environment(
        SWITCH=(bool, False), NUMBER=(int, 1), TEXT=(str, ""), NAMES=(list, []), EMPTY=(int, 7)
    )
    for name, value in {
        "SWITCH": "true\r", "NUMBER": " 5\r\n", "TEXT": "Europe/Lisbon\r",
        "NAMES": "one, two ,,three\r", "EMPTY": "\r",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert (env("SWITCH"), env("NUMBER"), env("TEXT")) == (True, 5, "Europe/Lisbon")
    assert (env("NAMES"), env("EMPTY")) == (["one", "two", "three"], 7)


def test_a_terminal_that_lacks_letters_gets_numbers(tmp_path):
    code, said = run("make_bot", "--help", DATA_DIR=str(tmp_path), PYTHONIOENCODING="ascii")
    assert (code, "usage:" in said) == (0, True)
    code, said = run(
        "disconnect_user", "名前", DATA_DIR=str(tmp_path), PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert code == 1
    assert "UnicodeEncodeError" not in said


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"])
@pytest.mark.parametrize("origin", ["null", "file://", "app.example.org", "https://a.example/x"])
def test_what_is_no_origin_is_named_everywhere(settings, name, origin):
    setattr(settings, name, [origin])
    problems = startup_problems()
    assert [problem for problem in problems if name in problem and origin in problem]


@pytest.mark.parametrize("name", ["CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"])
@pytest.mark.parametrize(
    "origin",
    ["capacitor://localhost", "ionic://localhost", "tauri://localhost", "app://chat",
     "chrome-extension://abcdefghijklmnop", "https://app.example.org:8443"],
)  # fmt: skip
def test_apps_may_be_allowed_origins_in_production(settings, name, origin):
    settings.PRODUCTION, settings.PASSWORD_HASH_KIB = True, 102_400
    setattr(settings, name, [origin])
    assert [problem for problem in setting_problems() if name in problem] == []


@pytest.mark.django_db(transaction=True)
def test_a_proxy_that_is_no_address_is_named(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "proxy.example.org"]
    assert [p for p in startup_problems() if "TRUSTED_PROXIES: proxy.example.org" in p]


# --- where it listens -----------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
def test_who_listens_for_this_machine_is_told_nothing(host):
    assert exposure(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "[::]", "2001:db8::1"])  # noqa: S104 - that is what this is about
def test_who_listens_for_others_is_told_so(host):
    assert "PRODUCTION=true" in exposure(host)


@pytest.fixture
def taken():
    """A port of all addresses on which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104
        listener.listen()
        yield listener.getsockname()[1]


def test_runserver_says_that_others_can_reach_it(tmp_path, taken):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", f"0.0.0.0:{taken}"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        said = process.stderr.readline()
        process.terminate()
    assert said.startswith("Warning: 0.0.0.0 can be reached by other machines")


def test_a_server_that_cannot_listen_says_why_and_does_not_start(tmp_path, taken):
    run("migrate", "--verbosity", "0", DATA_DIR=str(tmp_path))
    for host, port, reason in (
        ("127.0.0.1", str(taken), f"Port {taken} of 127.0.0.1 is taken"),
        ("192.0.2.1", "0", "192.0.2.1 is no address of this machine"),
    ):
        code, said = run("serve", "--host", host, "--port", port, DATA_DIR=str(tmp_path))
        assert (code, reason in said, "Traceback" in said) == (1, True, False), said


def test_serve_says_that_others_can_reach_it(tmp_path):
    run("migrate", "--verbosity", "0", DATA_DIR=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--host", "0.0.0.0", "--port", "0"],  # noqa: S104
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        said = process.stderr.readline()
        process.terminate()
    assert said.startswith("Warning: 0.0.0.0 can be reached by other machines")


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(CannotListen, match=rf"Port {port} of {host} is taken"):
                listen_on(host, port)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", 70_000, "70000 is no port"),
        ("127.0.0.1", -1, "-1 is no port"),
        ("192.0.2.1", 0, "192.0.2.1 is no address of this machine"),
        ("nowhere.invalid", 0, "nowhere.invalid is neither an address nor a name"),
        ("a b", 0, "a b is neither"),
    ],
)
def test_an_address_that_cannot_be_had_is_said(host, port, said):
    with pytest.raises(CannotListen) as refused:
        listen_on(host, port)
    assert str(refused.value).startswith(said)


def test_an_address_is_shown_as_browsers_take_it():
    for host in ("127.0.0.1", "::1", "[::1]"):
        try:
            [listener] = listen_on(host, 0)
        except CannotListen:
            # A machine without IPv6.
            assert ":" in host
            continue
        with listener:
            port = listener.getsockname()[1]
            shown = "[::1]" if ":" in host else host
            assert url_of(host, listener) == f"http://{shown}:{port}/"
            assert port > 0
