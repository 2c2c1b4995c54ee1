"""The files operators start from: parsed, compared with the code, and run as far as can be."""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yaml
from django.core.management import (
    CommandError,
    call_command,
    get_commands,
    load_command_class,
)
from dockerfile_parse import DockerfileParser

from chatbe import settings as product
from chatbe.server.uvicorn_server import LAST_SECONDS
from chatbot.worker.worker import STOP_SECONDS
from tools import programs
from tools.processes import free_port
from tools.services import Postgres

# Nothing here depends on the database behind it.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

PROJECT = Path(__file__).resolve().parent.parent
# Design: a server ends within 30 seconds of being asked to.
GOODBYE_SECONDS = product.DRAIN_SECONDS + LAST_SECONDS
SERVERS = ("app1", "app2")


@pytest.fixture(scope="module")
def secrets():
    """What make_env prints, by name."""
    return make_env("chat.example.org")


def make_env(site):
    printed = io.StringIO()
    call_command("make_env", site, stdout=printed)
    lines = printed.getvalue().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def assert_understood(command):
    """That manage.py has this command and takes these arguments."""
    name, *arguments = command
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(
        arguments
    )


@pytest.fixture(scope="module")
def compose(secrets):
    """docker-compose.yml with the variables filled in, as Docker would."""
    text = (PROJECT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked - {"VERSION"} == set(secrets)

    def value(found):
        name, otherwise = found.groups()
        return secrets.get(name) or otherwise.removeprefix(":-")

    return yaml.safe_load(re.sub(r"\$\{(\w+)(:[-?][^}]*)?\}", value, text))


@pytest.fixture(scope="module")
def dockerfile():
    return DockerfileParser(path=str(PROJECT / "Dockerfile"), cache_content=True)


def last(dockerfile, instruction):
    """The value of the last such instruction, that of the image."""
    values = [i["value"] for i in dockerfile.structure if i["instruction"] == instruction]
    return values[-1]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


# --- docker-compose.yml


def test_the_compose_file_has_the_shape_that_docker_knows():
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", PROJECT / "docker-compose.yml"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_both_servers_are_the_same_and_have_the_settings_of_production(compose, secrets, tmp_path):
    one, two = (compose["services"][name] for name in SERVERS)
    assert one == two
    environment = one["environment"]
    assert set(environment) <= set(product.env.scheme)
    # The superuser's password is not theirs to know.
    assert secrets["POSTGRES_PASSWORD"] not in str(one)
    done = as_in_production(one, tmp_path, "manage.py", "check", "--deploy", "--fail-level=ERROR")
    assert done.returncode == 0, done.stderr


def test_in_production_browsers_are_told_to_come_by_https_alone(compose, tmp_path):
    service = compose["services"][SERVERS[0]]
    host = service["environment"]["ALLOWED_HOSTS"].split(",")[0]
    program = f"""
import django
django.setup()
from django.test import Client
for secure in (True, False):
    answer = Client(HTTP_HOST={host!r}).get("/healthz", secure=secure)
    print(answer.status_code, answer.headers.get("Strict-Transport-Security"))
"""
    done = as_in_production(service, tmp_path, "-c", program)
    assert done.stdout.splitlines() == [
        "200 max-age=31536000; includeSubDomains; preload",
        # To whoever came without TLS the header means nothing (RFC 6797, 7.2).
        "200 None",
    ]


def as_in_production(service, folder, *arguments):
    """Run Python with the environment of a service; how it ended."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    named = {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "chatbe.settings"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**kept, **service["environment"], **named},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def test_servers_are_given_the_time_their_goodbye_takes(compose):
    for name in SERVERS:
        assert seconds(compose["services"][name]["stop_grace_period"]) > GOODBYE_SECONDS + 5


def test_only_the_proxy_is_seen_from_outside(compose):
    services = compose["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["back"]["internal"] is True
    networks = {name: set(service["networks"]) for name, service in services.items()}
    assert networks == {
        "proxy": {"front"},
        **{name: {"front", "back"} for name in SERVERS},
        # To an AI provider.
        "chatbot": {"front", "back"},
        **{name: {"back"} for name in ("migrate", "db", "redis")},
    }
    address = services["proxy"]["networks"]["front"]["ipv4_address"]
    assert services["app1"]["environment"]["TRUSTED_PROXIES"] == address


def test_servers_start_after_the_migrations_and_the_proxy_after_them(compose):
    services = compose["services"]
    for name in (*SERVERS, "chatbot"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    for name in ("migrate", "chatbot"):
        assert_understood(services[name]["command"])
    assert set(services["proxy"]["depends_on"]) == set(SERVERS)
    for name in ("proxy", "db", "redis", "chatbot", *SERVERS):
        assert services[name]["restart"] == "unless-stopped"


def test_what_the_database_and_redis_promise_is_asked_of_them(compose):
    db, redis = compose["services"]["db"], compose["services"]["redis"]
    assert {"synchronous_commit=on", "fsync=on"} <= set(db["command"])
    assert {"healthcheck", "volumes"} <= set(db)
    assert "healthcheck" in redis
    config = dict(
        line.split(" ", 1) for line in compose["configs"]["redis"]["content"].splitlines()
    )
    assert config["requirepass"] == redis["environment"]["REDISCLI_AUTH"]
    assert config["save"] == '""'
    assert config["maxmemory-policy"] == "noeviction"


def test_images_are_named_with_their_versions(compose, dockerfile):
    images = [service["image"] for service in compose["services"].values()]
    images += [image.split(" ")[0] for image in dockerfile.parent_images]
    for image in images:
        name, _, tag = image.partition(":")
        assert tag == "local" if name == "chatbe" else re.match(r"\d+\.\d+\.?\d*", tag), image


def test_no_container_can_take_the_machine_or_more_rights_than_it_needs(compose):
    may = {"proxy": {"NET_BIND_SERVICE"}}
    # PostgreSQL's starts as root, to give its folder away.
    may["db"] = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("cap_add", ())) == may.get(name, set()), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert 0 < service["pids_limit"] <= 512, name


def test_files_that_are_mounted_exist(compose):
    for service in compose["services"].values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (PROJECT / source).is_file()
            else:
                assert source in compose["volumes"]


def test_every_installation_has_secrets_of_its_own(secrets):
    again = make_env("chat.example.org")
    assert secrets.keys() == again.keys()
    assert [name for name in secrets if secrets[name] == again[name]] == ["SITE"]
    # Neither a URL nor a compose file would take other characters as they are.
    assert all(re.fullmatch(r"[\w.:-]+", value) for value in secrets.values())
    for site in ("https://chat.example.org", "chat.example.org/", "A b", "", "x\nY=1"):
        with pytest.raises(CommandError):
            make_env(site)


def test_a_new_database_belongs_to_the_servers_role_which_may_do_nothing_else(secrets, compose):
    [script] = [v for v in compose["services"]["db"]["volumes"] if "initdb.d" in v]
    with Postgres() as postgres:
        psql = programs.locate("postgres").with_name("psql")
        done = subprocess.run(
            [PROJECT / script.split(":")[0]],
            env={
                "PATH": f"{psql.parent}:{os.environ['PATH']}",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(postgres.port),
                "PGPASSWORD": postgres._password,
                "POSTGRES_USER": postgres.user,
                "DATABASE_PASSWORD": secrets["DATABASE_PASSWORD"],
            },
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        url = compose["services"]["app1"]["environment"]["DATABASE_URL"]
        with psycopg.connect(url.replace("db:5432", f"127.0.0.1:{postgres.port}")) as connection:
            connection.execute("CREATE TABLE mine (id bigint)")
            role = (
                "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'chat'"
            )
            assert connection.execute(role).fetchone() == (False, False, False)


# --- Dockerfile


def test_the_image_runs_one_process_as_nobody_in_particular(dockerfile):
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last(dockerfile, "USER"))
    assert last(dockerfile, "STOPSIGNAL") == "SIGTERM"
    entrypoint = yaml.safe_load(last(dockerfile, "ENTRYPOINT"))
    command = yaml.safe_load(last(dockerfile, "CMD"))
    # A list: no shell keeps the signals to itself.
    assert entrypoint == ["python", "manage.py"]
    assert command[0] == "serve"
    assert_understood(command)
    assert f"EXPOSE {command[-1]}" in dockerfile.content
    assert dict(dockerfile.envs)["DATA_DIR"] == yaml.safe_load(last(dockerfile, "VOLUME"))[0]


def test_the_image_is_made_of_the_locked_packages_and_of_no_tools(dockerfile):
    assert "--require-hashes" in dockerfile.content
    assert "requirements.txt" in dockerfile.content
    assert not re.search(r"apt-get|build-essential|gcc|curl", dockerfile.content)
    # What is copied from the first stage is the packages.
    copied = [i["value"] for i in dockerfile.structure if i["instruction"] == "COPY"]
    assert copied == ["requirements.txt /", "--from=packages /venv /venv", ". ."]


def test_secrets_and_data_stay_out_of_the_image_and_what_is_served_does_not():
    left_out = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {".git", ".env", "settings.env", "var", "**/tests", "**/*.sqlite3*"} <= set(left_out)
    for name in ("manage.py", "requirements.txt", "templates", "static", "chatbe", "accounts"):
        assert name not in left_out


def test_the_health_check_of_the_image_tells_a_server_from_none(dockerfile, site):
    told = last(dockerfile, "HEALTHCHECK")
    command = yaml.safe_load(told[told.index("CMD") + 3 :])
    assert command[0] == "python"
    for port, healthy in ((site.server.port, True), (free_port(), False)):
        argv = [sys.executable, *(part.replace(":8000", f":{port}") for part in command[1:])]
        done = subprocess.run(argv, check=False, stderr=subprocess.DEVNULL, timeout=30)
        assert (done.returncode == 0) is healthy


# --- proxies and systemd


def test_proxies_wait_longer_than_a_socket_is_silent_and_pass_bodies_of_our_size():
    nginx = (PROJECT / "deploy" / "nginx.conf").read_text()
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        assert seconds(re.search(rf"{name} (\w+);", nginx).group(1)) > 2 * product.PING_SECONDS
    assert int(re.search(r"client_max_body_size (\d+)k;", nginx).group(1)) * 1024 == size()
    caddy = (PROJECT / "deploy" / "Caddyfile").read_text()
    assert int(re.search(r"max_size (\d+)KiB", caddy).group(1)) * 1024 == size()


def size():
    return product.env.scheme["FRAME_BYTES"][1]


@pytest.mark.parametrize(
    ("name", "goodbye"),
    [("chatbe@.service", GOODBYE_SECONDS), ("chatbe-chatbot.service", STOP_SECONDS)],
)
def test_a_unit_of_systemd_starts_what_there_is_and_waits_for_its_goodbye(name, goodbye):
    path = PROJECT / "deploy" / name
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    service = unit["Service"]
    _, program, *command = shlex.split(service["ExecStart"].replace("%i", "8001"))
    assert program == "manage.py"
    assert_understood(command)
    assert int(service["TimeoutStopSec"]) > goodbye + 5
    assert service["User"] not in {"root", ""}
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    documentation = unit["Unit"]["Documentation"].removeprefix("file:///opt/chatbe/")
    assert (PROJECT / documentation).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ["chatbe@.service", "chatbe-chatbot.service"])
def test_systemd_understands_a_unit(tmp_path, name):
    unit = tmp_path / name.replace("@", "@8001")
    text = (PROJECT / "deploy" / name).read_text()
    # What it starts is not here.
    unit.write_text(text.replace("/opt/chatbe/.venv/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert said == []
