"""The two containers, and the rules of the reference that nginx's configuration must keep."""

from __future__ import annotations

import dataclasses
import re

import pytest

from devreg.model.server import Listen, ServerImages
from devreg.server.definition import HUB_IMAGES, USERS_FILE, USERS_VOLUME, VOLUMES, containers
from devreg.settings import SETTINGS

LISTEN = Listen("127.0.0.1", 5000)
REGISTRY, NGINX = containers(LISTEN, ServerImages("registry:2", "nginx:1"))
CONF = NGINX.files["/etc/devreg/nginx.conf"]
PLAIN = re.sub(r"(?m)^\s*#.*$", "", CONF)
YML = REGISTRY.files["/etc/devreg/registry.yml"]


def test_the_registry_starts_first_and_is_published_nowhere() -> None:
    assert [each.role for each in containers(LISTEN, HUB_IMAGES)] == ["registry", "nginx"]
    assert REGISTRY.publish is None
    assert NGINX.publish == LISTEN
    assert f"listen {NGINX.inner_port};" in PLAIN


def test_the_registry_listens_on_the_socket_that_nginx_asks_and_on_no_port() -> None:
    assert "net: unix" in YML
    socket = re.search(r"addr: (\S+)", YML)
    assert socket
    assert f"server unix:{socket[1]};" in PLAIN
    shared = set(REGISTRY.mounts.items()) & set(NGINX.mounts.items())
    assert [path for path, _ in shared if socket[1].startswith(f"{path}/")]


def test_layers_from_elsewhere_are_allowed_by_their_urls() -> None:
    allow = re.search(r"validation:\n +manifests:\n +urls:\n(?: +#.*\n)+ +allow: \['(.+)'\]\n", YML)
    assert allow
    urls = ("https://mcr.microsoft.com/v2/windows", "http://a.example/b", "file:///etc/passwd", "ftp://https://a")
    assert [bool(re.search(allow[1], url)) for url in urls] == [True, True, False, False]


def test_every_volume_is_mounted_somewhere() -> None:
    assert {*REGISTRY.mounts.values(), *NGINX.mounts.values()} == set(VOLUMES)


def test_nginx_reads_blobs_from_the_registrys_folder_and_cannot_write_there() -> None:
    assert re.search(r"rootdirectory: (\S+)", YML)[1] in NGINX.views  # type: ignore[index]
    assert NGINX.views.items() <= REGISTRY.mounts.items()
    assert not NGINX.views.keys() & NGINX.mounts.keys()


def test_the_users_are_where_nginx_looks_for_them_and_survive_the_container() -> None:
    assert f"auth_basic_user_file {USERS_FILE};" in PLAIN
    folder = USERS_FILE.rpartition("/")[0]
    assert NGINX.mounts[folder] == USERS_VOLUME


def test_the_default_images_are_those_of_the_settings() -> None:
    assert (SETTINGS["registry_image"].default, SETTINGS["nginx_image"].default) == dataclasses.astuple(HUB_IMAGES)


@pytest.mark.parametrize(
    "rule",
    [
        "client_max_body_size 0;",
        "chunked_transfer_encoding on;",
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "proxy_read_timeout 900;",
        "proxy_send_timeout 900;",
        "client_body_timeout 900;",
        "send_timeout 900;",
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $registry_scheme;",
        "add_header Docker-Distribution-Api-Version $docker_distribution_api_version always;",
    ],
)
def test_a_rule_of_the_reference(rule: str) -> None:
    assert rule in PLAIN


def test_brackets_are_balanced_and_statements_end() -> None:
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "''", PLAIN)
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    unended = [line for line in text.splitlines() if line.strip() and line.rstrip()[-1] not in "{};"]
    assert unended == []


@pytest.mark.parametrize(
    ("agent", "refused"),
    [
        ("docker/1.5.0 go/go1.3.3", True),
        ("docker/1.3.2", True),
        ("docker/1.4.1", True),
        ("Go 1.1 package http", True),
        ("docker/1.5.0-dev", False),
        ("docker/1.6.0 go/go1.4.2", False),
        ("docker/20.10.24 go/go1.19", False),
        ("docker/28.5.2", False),
        ("Go-http-client/1.1", False),
        ("containers/5.24 (github.com/containers/image)", False),
        ("devreg/0.1.0", False),
    ],
)
def test_docker_before_1_6_is_turned_away(agent: str, refused: bool) -> None:
    pattern = re.search(r'\$http_user_agent ~ "([^"]+)"', PLAIN)
    assert pattern
    assert (re.match(pattern[1], agent) is not None) is refused


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("service=devreg&scope=repository:app:push,pull", True),
        ("service=devreg&scope=repository:app:pull,push", True),
        ("scope=repository%3Aapp%3Apull%2Cpush&service=devreg", True),
        ("service=devreg&scope=repository:app:push", True),
        ("service=devreg&scope=repository:app:pull", False),
        ("service=devreg&scope=repository:push/app:pull", False),
        ("service=devreg&scope=repository:pushy:pull", False),
        ("account=alice&service=devreg", False),
        ("", False),
    ],
)
def test_an_anonymous_push_is_told_from_an_anonymous_pull(query: str, refused: bool) -> None:
    pattern = re.search(r'"~(\^ [^"]+)" 1;', PLAIN)
    assert pattern
    assert (re.search(pattern[1], f" {query}") is not None) is refused
    assert re.search(pattern[1], f"Basic YTpi {query}") is None


def variable(source: str, target: str, value: str) -> str:
    """What nginx's `map $source $target` makes of a value: exact words and `~*` patterns, else the default."""
    found = re.search(rf"map \${source} \${target} {{(.*?)\n *}}", PLAIN, re.DOTALL)
    assert found
    rules = re.findall(r"^\s*(\S+|\"[^\"]+\") (\S+);", found[1], re.MULTILINE)
    for key, result in rules:
        pattern = key.strip('"')
        if pattern.startswith("~*") and re.search(pattern[2:], value, re.IGNORECASE):
            return str(result)
    return str(dict(rules)["default"])


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("", "$scheme"),
        ("http", "$scheme"),
        ("https, http", "$scheme"),
        ("https://evil.example/", "$scheme"),
    ],
)
def test_behind_tls_the_challenge_leads_to_https(said: str, scheme: str) -> None:
    assert variable("http_x_forwarded_proto", "registry_scheme", said) == scheme
    assert """Bearer realm="$registry_scheme://$http_host/v2/token",service="devreg\"""" in PLAIN
    assert 'realm="$scheme' not in PLAIN


REFUSED_PATHS = re.compile(re.findall(r'\$request_uri ~ "([^"]+)"', PLAIN)[0])


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../v2/",
        "/v2/./app/tags/list",
        "/v2/app/..",
        "/v2/app/.",
        "/v2/app/..?n=1",
        "/v2//app/tags/list",
        "//v2/",
        "/v2/token#/../app/blobs/uploads/",
        "/v2/%2e%2e/v2/",
        "/v2/%2E./",
        "/v2/app%2fblobs",
        "/v2/app%2Fblobs",
        "/v2/token%23",
        "/v2/token%3f",
        "/v2/token%3F",
        "/v2/app%5c..",
        "/v2/app%00",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(path: str) -> None:
    assert REFUSED_PATHS.search(path)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        "/v2/token?service=devreg&scope=repository%3Aa%2Fb%3Apull",
        "/v2/token?account=a#b//../%00",
        "/v2/team/app.x/tags/list",
        "/v2/a..b/manifests/..1",
        "/v2/app/manifests/v1.0..2",
        f"/v2/team/app/manifests/sha256:{'a' * 64}",
        f"/v2/team/app/manifests/sha256%3A{'a' * 64}",
        "/v2/app/blobs/uploads/?mount=sha256%3Aab&from=a%2Fb",
        "/v2/app/blobs/uploads/3f-c0?_state=a.b//c%2F..",
        "/v2/_catalog?last=a%2F..%2Fb&n=100",
    ],
)
def test_no_path_of_a_client_is_refused(path: str) -> None:
    assert not REFUSED_PATHS.search(path)


def test_the_ping_is_a_read_and_reaches_the_ping_only() -> None:
    ping = re.search(r"location = /v2/ {(.*?)\n    }\n", PLAIN, re.DOTALL)
    assert ping
    assert re.search(r"if \(\$registry_is_read = 0\) {\s*return 405 ", ping[1])
    assert "proxy_pass http://registry_behind/v2/;" in ping[1]
