"""The server as plain processes: the same rules as in containers, and what only processes need."""

from __future__ import annotations

import configparser
import io
import re
import shlex

import pytest

from devreg.model.server import Listen, ServerFile
from devreg.model.server_choices import Choices
from devreg.model.server_processes import REGISTRY_SOCKET, SUPERVISOR_SOCKET, Accounts, Place, Programs
from devreg.model.server_tls import Tls
from devreg.server import processes

PLACE = Place("/srv/" + "deep/" * 40 + "registry")
PROGRAMS = Programs("/usr/bin/docker-registry", "/usr/sbin/nginx", "/usr/bin/setpriv")
ROOT = Accounts("daemon", "www-data", "www-data")
SECRET = "s3cret" * 8
PLAIN = Choices()


def made(
    accounts: Accounts | None = None, programs: Programs = PROGRAMS, choices: Choices = PLAIN, authorities: str = ""
) -> dict[str, str]:
    listen = Listen("127.0.0.1", 5000)
    return processes.files(listen, PLACE, programs, accounts, choices, authorities, checker=6000, secret=SECRET)


def supervised(text: str) -> configparser.RawConfigParser:
    """supervisord.conf, as supervisord reads it."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=True)
    parser.read_file(io.StringIO(text))
    return parser


@pytest.mark.parametrize("accounts", [None, ROOT])
def test_nginx_and_the_registry_mean_the_same_socket_whose_name_is_short(accounts: Accounts | None) -> None:
    files = made(accounts)
    assert f"addr: {REGISTRY_SOCKET}\n" in files[processes.REGISTRY_FILE]
    assert f"server unix:{REGISTRY_SOCKET};" in files[processes.NGINX_FILE]
    conf = supervised(files[processes.SUPERVISOR_FILE])
    named = [REGISTRY_SOCKET, conf["unix_http_server"]["file"]]
    assert max(len(each) for each in named) < 100
    assert named[1].endswith(f"/{SUPERVISOR_SOCKET}")
    assert f"{PLACE.run}/{REGISTRY_SOCKET}".startswith(f"{PLACE.behind}/")


def test_only_root_names_users() -> None:
    assert not re.search(r"^user ", made()[processes.NGINX_FILE], re.MULTILINE)
    assert made(ROOT)[processes.NGINX_FILE].startswith("user www-data www-data;\n")
    for accounts in (None, ROOT):
        conf = supervised(made(accounts)[processes.SUPERVISOR_FILE])
        assert conf["supervisord"].get("user") == ("root" if accounts else None)
        words = shlex.split(conf["program:registry"]["command"])
        assert ("--reuid" in words) is bool(accounts)
        assert words[-3:] == ["/usr/bin/docker-registry", "serve", f"{PLACE.conf}/registry.yml"]


def test_all_end_with_their_supervisor_and_none_gains_rights() -> None:
    conf = supervised(made(ROOT)[processes.SUPERVISOR_FILE])
    for role, signal in (("registry", "KILL"), ("nginx", "TERM")):
        words = shlex.split(conf[f"program:{role}"]["command"])
        assert [words[at + 1] for at, word in enumerate(words) if word == "--pdeathsig"] == ["KILL", signal]
        assert "--no-new-privs" in words
        assert conf[f"program:{role}"]["autorestart"] == "true"
    assert shlex.split(conf["program:nginx"]["command"])[-2:] == ["-g", "daemon off;"]


def test_the_secret_is_in_no_file_that_nginx_workers_may_read() -> None:
    assert [name for name, text in made(ROOT).items() if SECRET in text] == [processes.SUPERVISOR_FILE]
    conf = supervised(made(ROOT)[processes.SUPERVISOR_FILE])
    assert SECRET not in conf["program:registry"]["command"]
    assert conf["program:registry"]["environment"] == f'REGISTRY_HTTP_SECRET="{SECRET}"'


def test_fetched_programs_are_told_where_their_libraries_are() -> None:
    programs = Programs("/d/usr/bin/docker-registry", "/d/usr/sbin/nginx", "/usr/bin/setpriv", ("/d/lib", "/d/usr/lib"))
    conf = supervised(made(programs=programs)[processes.SUPERVISOR_FILE])
    for role in ("registry", "nginx"):
        assert 'LD_LIBRARY_PATH="/d/lib:/d/usr/lib"' in conf[f"program:{role}"]["environment"]
    assert "environment" not in supervised(made()[processes.SUPERVISOR_FILE])["program:nginx"]
    assert processes.environment(programs) == {"LD_LIBRARY_PATH": "/d/lib:/d/usr/lib"}
    assert processes.environment(PROGRAMS) == {}


def test_nginx_keeps_to_its_folder() -> None:
    conf = made()[processes.NGINX_FILE]
    for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        assert f"{use}_temp_path {PLACE.temp}/{use};" in conf
    assert f"pid {PLACE.run}/nginx.pid;" in conf
    assert f"auth_basic_user_file {PLACE.file(ServerFile.USERS)};" in conf
    assert "listen 127.0.0.1:5000;" in conf
    assert "listen 127.0.0.1:6000;" in conf
    assert "proxy_pass http://127.0.0.1:6000/;" in conf


def test_nginx_holds_users_to_their_rules() -> None:
    rules = PLACE.file(ServerFile.RULES)
    assert f"include {rules[:-1]}[{rules[-1]}];" in made()[processes.NGINX_FILE]


def test_with_tls_nginx_shows_the_certificate_of_its_folder() -> None:
    conf = made(choices=Choices(Tls.SELF_SIGNED))[processes.NGINX_FILE]
    pem = PLACE.file(ServerFile.CERTIFICATE)
    assert "listen 127.0.0.1:5000 ssl;" in conf
    assert f"ssl_certificate {pem};" in conf
    assert f"ssl_certificate_key {pem};" in conf
    assert "ssl" not in made()[processes.NGINX_FILE].replace("proxy_ssl", "")


def test_another_service_checks_passwords_and_is_verified_by_the_authorities_given() -> None:
    files = made(choices=Choices(external_auth="https://auth.example/check"), authorities="PEM")
    conf = files[processes.NGINX_FILE]
    assert "proxy_pass https://auth.example/check;" in conf
    assert f"proxy_ssl_trusted_certificate {PLACE.conf}/{processes.EXTERNAL_AUTH_CA_FILE};" in conf
    assert files[processes.EXTERNAL_AUTH_CA_FILE] == "PEM"
    assert "auth_basic" not in conf
    assert processes.EXTERNAL_AUTH_CA_FILE not in made()


def test_nginx_has_pushes_wait_and_counts_them() -> None:
    conf = made()[processes.NGINX_FILE]
    assert f"if (-f {PLACE.behind}/pause.writes)" in conf
    assert conf.index("if ($registry_pause)") < conf.index("limit_conn registry_pushes 65535;")
    assert "location = /pushes {" in conf


def test_scripts_run_beside_the_registry_with_its_rights() -> None:
    assert processes.identity(PROGRAMS, None) == ()
    assert processes.identity(PROGRAMS, ROOT)[1:] == ("--reuid", "daemon", "--regid", "www-data", "--clear-groups")
    programs = Programs("/d/usr/bin/docker-registry", "/usr/sbin/nginx", "/usr/bin/setpriv", ("/d/lib", "/d/usr/lib"))
    beside = processes.beside(PLACE, programs)
    assert beside.data == PLACE.data
    assert beside.variables == {
        "registry": "/d/usr/bin/docker-registry",
        "config": f"{PLACE.conf}/registry.yml",
        "pause": f"{PLACE.behind}/pause",
        "box": "",
        "libraries": "/d/lib:/d/usr/lib",
    }
