"""Answers to 401: which, to whom, how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import httpx
import pytest
import trustme

from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, NotAuthorized, RegistryUnreachable
from devreg.model.tls import Connection, Tls
from devreg.registry.secret import permit
from tests.http.server import Answer, Asked, Open, Script, Serve, basic, error_answer, json_answer, server_context

ALICE = Credentials("alice", "s3cret")
IDENTITY = Credentials("<token>", "refresh-me")
BASIC = basic("alice", "s3cret")
TAGS = json_answer({"tags": ["1"]})


def behind_basic(asked: Asked) -> Answer:
    if asked.authorization == BASIC:
        return json_answer({"tags": ["1"]}) if asked.method == "GET" else Answer(202, headers={"Location": "/v2/u/1"})
    return error_answer(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="r"')


def writes_behind_basic(asked: Asked) -> Answer:
    """The plain reference nginx: reads are open."""
    return TAGS if asked.method == "GET" else behind_basic(asked)


def bearer(token: Script, *, realm: str | None = None, scope: str = "repository:app:pull") -> Script:
    """A registry that wants `Bearer good`, and a token server that answers by `token`."""

    def script(asked: Asked) -> Answer:
        if asked.path == "/token":
            return token(asked)
        if asked.authorization == "Bearer good":
            return TAGS if asked.method == "GET" else Answer(202, headers={"Location": "/v2/u/1"})
        where = realm or f"http://{asked.headers['host']}/token"
        challenge = f'Bearer realm="{where}",service="reg",scope="{scope}"'
        return error_answer(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    return script


def gives(text: str = "good", **more: object) -> Script:
    return lambda _: json_answer({"token": text, **more})


def test_basic_is_sent_when_asked_for_and_remembered(serve: Serve, opened: Open) -> None:
    server = serve(behind_basic)
    registry = opened(server, credentials=ALICE)
    assert list(registry.tags("app")) == list(registry.tags("app")) == ["1"]
    assert [asked.authorization for asked in server.asked] == [None, None, BASIC, BASIC]


def test_basic_for_writes_only(serve: Serve, opened: Open) -> None:
    server = serve(writes_behind_basic)
    registry = opened(server, credentials=ALICE)
    assert list(registry.tags("app")) == ["1"]
    assert registry.prove_write("app") is True
    assert [(asked.method, asked.authorization) for asked in server.asked] == [
        ("GET", None),
        ("GET", None),
        ("POST", None),
        ("POST", BASIC),
        ("DELETE", None),
        ("DELETE", BASIC),
    ]


def test_a_wrong_password_is_tried_once(serve: Serve, opened: Open) -> None:
    server = serve(writes_behind_basic)
    registry = opened(server, credentials=Credentials("alice", "wr0ng"))
    with pytest.raises(NotAuthorized, match=r"401 Unauthorized .*also to the password of alice") as caught:
        registry.prove_write("app")
    assert server.lines[1:] == ["POST /v2/app/blobs/uploads/"] * 2
    assert "wr0ng" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"


def test_no_credentials_where_some_are_wanted(serve: Serve, opened: Open) -> None:
    server = serve(behind_basic)
    with pytest.raises(NotAuthorized) as caught:
        list(opened(server).tags("app"))
    assert f"devreg login {server.host}" in caught.value.hint


def test_anonymous_token(serve: Serve, opened: Open) -> None:
    server = serve(bearer(gives()))
    assert list(opened(server).tags("app")) == ["1"]
    assert server.lines[1:] == [
        "GET /v2/app/tags/list?n=1000",
        "GET /token?service=reg&scope=repository%3Aapp%3Apull",
        "GET /v2/app/tags/list?n=1000",
    ]
    assert server.asked[2].authorization is None


def test_token_by_password_with_all_scopes(serve: Serve, opened: Open) -> None:
    server = serve(bearer(gives(), scope="repository:app:pull,push repository:other:pull"))
    opened(server, credentials=ALICE).prove_write("app")
    token = server.asked[2]
    assert token.authorization == BASIC
    assert token.query["scope"] == ["repository:app:pull,push", "repository:other:pull"]
    assert token.query["account"] == ["alice"]


def test_identity_token_is_traded_by_post(serve: Serve, opened: Open) -> None:
    server = serve(bearer(lambda _: json_answer({"access_token": "good"})))
    assert list(opened(server, credentials=IDENTITY).tags("app")) == ["1"]
    token = server.asked[2]
    assert (token.method, token.authorization) == ("POST", None)
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["devreg"],
        "service": ["reg"],
        "scope": ["repository:app:pull"],
        "refresh_token": ["refresh-me"],
    }


def test_a_token_is_kept_and_shared_between_threads(serve: Serve, opened: Open) -> None:
    server = serve(bearer(gives(expires_in=300)))
    registry = opened(server)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: list(registry.tags("app")), range(16))) == [["1"]] * 16
    assert sum(asked.path == "/token" for asked in server.asked) == 1
    before = len(server.asked)
    assert list(registry.tags("app")) == ["1"]
    assert len(server.asked) == before + 1


def test_an_expired_token_is_fetched_anew(serve: Serve, opened: Open) -> None:
    server = serve(bearer(gives(expires_in=1)))
    registry = opened(server)
    assert list(registry.tags("app")) == list(registry.tags("app")) == ["1"]
    assert sum(asked.path == "/token" for asked in server.asked) == 2


def test_a_revoked_token_is_fetched_anew(serve: Serve, opened: Open) -> None:
    tokens = iter(["good", "good2"])
    valid = ["good"]

    def script(asked: Asked) -> Answer:
        if asked.path == "/token":
            return json_answer({"token": next(tokens)})
        if asked.authorization == f"Bearer {valid[0]}":
            return TAGS
        return error_answer(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{server.url}/token"')

    server = serve(script)
    registry = opened(server)
    assert list(registry.tags("app")) == ["1"]
    valid[0] = "good2"
    assert list(registry.tags("app")) == ["1"]


def test_a_token_that_is_refused_is_tried_once(serve: Serve, opened: Open) -> None:
    server = serve(bearer(gives("bad")))
    with pytest.raises(NotAuthorized):
        list(opened(server, credentials=ALICE).tags("app"))
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_password_at_the_token_server(serve: Serve, opened: Open, status: int) -> None:
    server = serve(bearer(lambda _: error_answer(status, "UNAUTHORIZED", "bad password")))
    with pytest.raises(NotAuthorized, match=r"accept the password of alice.*bad password") as caught:
        opened(server, credentials=ALICE).prove_write("app")
    assert len(server.asked) == 3
    assert ALICE.secret not in repr(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>"),
        Answer(200, b"{}"),
        json_answer({"token": ""}),
        json_answer({"token": 7}),
        json_answer({"token": "good\r\nX-Evil: 1"}),
        json_answer({"token": "gœd"}),
        json_answer({"token": ["good"]}),
        Answer(404, b""),
        Answer(302, b"", {"Location": "/elsewhere"}),
        Answer(500, b""),
    ],
)
def test_a_token_server_that_is_none(serve: Serve, opened: Open, answer: Answer) -> None:
    server = serve(bearer(lambda _: answer))
    with pytest.raises(RegistryUnreachable):
        list(opened(server, credentials=ALICE).tags("app"))


@pytest.mark.parametrize("lifetime", [None, -1, 0, 10**12, "300", True, 1.5])
def test_odd_lifetimes_of_tokens(serve: Serve, opened: Open, lifetime: object) -> None:
    assert list(opened(serve(bearer(gives(expires_in=lifetime)))).tags("app")) == ["1"]


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="ftp://x/"',
        'Bearer realm="/v2/token"',
        'Bearer realm="http://["',
        'Bearer realm="http://x:99999/"',
        'Bearer realm="https://"',
        'Bearer realm="\x7f"',
        "Bearer realm=" + "x" * 8000,
        'Bearer realm="http://token.example/"',
        'Bearer realm="https://127.0.0.1:99999/"',
        'Bearer realm="https://127.0.0.1:1/"',
        'Bearer realm="https://-/"',
        'Bearer realm="https://a..b/"',
        "Negotiate, ,,=,=x",
        'Basic realm="unclosed',
    ],
)
def test_hostile_challenges(serve: Serve, opened: Open, challenge: str) -> None:
    server = serve(Answer(401, b"", {"WWW-Authenticate": challenge}))
    with pytest.raises(DevregError):
        list(opened(server, credentials=ALICE).tags("app"))


@pytest.mark.parametrize("script", [behind_basic, bearer(gives())])
@pytest.mark.parametrize("credentials", [ALICE, IDENTITY])
def test_secrets_do_not_go_over_plain_http_to_the_untrusted(
    serve: Serve, opened: Open, script: Script, credentials: Credentials
) -> None:
    server = serve(script)
    with pytest.raises(NotAuthorized) as caught:
        list(opened(server, credentials=credentials, secrets_over_http=False).tags("app"))
    if (script, credentials) != (behind_basic, IDENTITY):  # an identity token is never sent as a password at all
        assert f"will not send {credentials.shown} over plain HTTP to {server.host}" in caught.value.message
        assert f"devreg trust {server.host}" in caught.value.hint
    assert all(asked.authorization is None and asked.method == "GET" for asked in server.asked)


def test_an_untrusted_registry_cannot_have_them_sent_elsewhere(
    serve: Serve, opened: Open, authority: trustme.CA
) -> None:
    elsewhere = serve(gives(), server_context(authority))
    server = serve(bearer(gives(), realm=f"{elsewhere.url}/token"))
    with pytest.raises(NotAuthorized, match="over plain HTTP"):
        list(opened(server, credentials=ALICE, secrets_over_http=False).tags("app"))
    assert elsewhere.asked == []


def test_a_token_server_elsewhere_needs_https(serve: Serve, opened: Open) -> None:
    elsewhere = serve(gives())
    server = serve(bearer(gives(), realm=f"http://localhost:{elsewhere.port}/token"))
    with pytest.raises(NotAuthorized, match="will not ask http://localhost"):
        list(opened(server, credentials=ALICE).tags("app"))
    assert elsewhere.asked == []


@pytest.mark.usefixtures("known_authority")
@pytest.mark.parametrize("credentials", [ALICE, IDENTITY])
def test_a_token_server_elsewhere_gets_no_secret(
    serve: Serve, opened: Open, authority: trustme.CA, credentials: Credentials
) -> None:
    elsewhere = serve(gives(), server_context(authority, authority.issue_cert("localhost")))
    server = serve(bearer(gives(), realm=f"https://localhost:{elsewhere.port}/token"))
    with pytest.raises(NotAuthorized) as caught:
        list(opened(server, credentials=credentials, token_hosts=("auth.example",)).tags("app"))
    assert f"will not send {credentials.shown} to https://localhost:{elsewhere.port}" in caught.value.message
    assert caught.value.hint.endswith(f"devreg config set token_hosts auth.example,localhost:{elsewhere.port}")
    assert elsewhere.asked == []
    assert list(opened(server).tags("app")) == ["1"], "who has no secret asks there"
    assert elsewhere.asked[0].authorization is None


@pytest.mark.usefixtures("known_authority")
@pytest.mark.parametrize("with_port", [True, False])
def test_a_token_server_elsewhere_that_the_user_trusts(
    serve: Serve, opened: Open, authority: trustme.CA, with_port: bool
) -> None:
    elsewhere = serve(gives(), server_context(authority, authority.issue_cert("localhost")))
    server = serve(bearer(gives(), realm=f"https://localhost:{elsewhere.port}/token"))
    hosts = (f"localhost:{elsewhere.port}" if with_port else "localhost",)
    assert list(opened(server, credentials=ALICE, token_hosts=hosts).tags("app")) == ["1"]
    assert elsewhere.asked[0].authorization == BASIC


def allowed(registry: str, receiver: str) -> bool:
    where = Address.parse(registry).endpoint
    connection = Connection(where, Tls.VERIFIED, secrets_over_http=False)
    try:
        permit(ALICE, connection, httpx.URL(f"https://{where}"), httpx.URL(f"https://{receiver}/token"))
    except NotAuthorized:
        return False
    return True


@pytest.mark.parametrize(
    ("registry", "receiver"),
    [
        ("docker.io", "auth.docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("registry.example:5000", "registry.example:5001"),
        ("registry.gitlab.com", "gitlab.com"),
        ("cr.example.com", "auth.cr.example.com"),
        ("10.0.0.5:5000", "10.0.0.5"),
        ("[::1]:5000", "[::1]:5001"),
    ],
)
def test_hosts_that_belong_to_a_registry(registry: str, receiver: str) -> None:
    assert allowed(registry, receiver)


@pytest.mark.parametrize(
    ("registry", "receiver"),
    [
        ("docker.io", "auth.docker.io.evil.example"),
        ("ghcr.io", "auth.docker.io"),
        ("me.hoster.example", "you.hoster.example"),
        ("registry.example.com", "evilregistry.example.com"),
        ("registry.local", "local"),
        ("10.0.0.5", "0.5"),
        ("10.0.0.5", "10.0.0.5.evil.example"),
        ("localhost", "127.0.0.1"),
        ("registry.example", "registry.example."),
    ],
)
def test_hosts_that_may_be_anybodys(registry: str, receiver: str) -> None:
    assert not allowed(registry, receiver)


def test_trust_in_a_registry_is_not_trust_in_its_token_server(
    serve: Serve, opened: Open, authority: trustme.CA
) -> None:
    elsewhere = serve(gives(), server_context(authority, authority.issue_cert("localhost")))
    server = serve(bearer(gives(), realm=f"https://localhost:{elsewhere.port}/token"), server_context(authority))
    with pytest.raises(RegistryUnreachable, match="authority that this machine does not know"):
        list(opened(server, credentials=ALICE, tls=Tls.INSECURE, token_hosts=("localhost",)).tags("app"))
    assert elsewhere.asked == []


def test_no_step_down_from_https(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    plain = serve(gives())
    server = serve(bearer(gives(), realm=f"{plain.url}/token"), server_context(authority))
    with pytest.raises(NotAuthorized, match="plain HTTP"):
        list(opened(server, credentials=ALICE, tls=Tls.INSECURE).tags("app"))
    assert plain.asked == []


def test_a_redirect_takes_no_authorization_along(serve: Serve, opened: Open) -> None:
    storage = serve(json_answer({"tags": ["1"]}))

    def script(asked: Asked) -> Answer:
        answer = behind_basic(asked)
        return Answer(307, headers={"Location": f"{storage.url}/x?sig=1"}) if answer.status == 200 else answer

    assert list(opened(serve(script), credentials=ALICE).tags("app")) == ["1"]
    assert storage.asked[0].authorization is None


def test_a_challenge_of_another_host_is_not_answered(serve: Serve, opened: Open) -> None:
    storage = serve(behind_basic)
    server = serve(Answer(307, headers={"Location": f"{storage.url}/x"}))
    with pytest.raises(NotAuthorized):
        list(opened(server, credentials=ALICE).tags("app"))
    assert [asked.authorization for asked in server.asked + storage.asked] == [None, None, None]


def test_a_token_request_is_not_redirected(serve: Serve, opened: Open) -> None:
    elsewhere = serve(gives())
    server = serve(bearer(lambda _: Answer(307, headers={"Location": f"{elsewhere.url}/token"})))
    with pytest.raises(RegistryUnreachable, match="gives no token"):
        list(opened(server, credentials=IDENTITY).tags("app"))
    assert elsewhere.asked == []


def test_bearer_is_chosen_before_basic(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        answer = bearer(gives())(asked)
        challenge = f'Basic realm="x, y", {answer.headers.get("WWW-Authenticate")}'
        return Answer(401, headers={"WWW-Authenticate": challenge}) if answer.status == 401 else answer

    assert list(opened(serve(script)).tags("app")) == ["1"]


def test_the_facade_of_our_own_server(serve: Serve, opened: Open) -> None:
    """`GET /v2/` wants a token, an anonymous one is for reading, a user's is for writing."""
    mine = BASIC.removeprefix("Basic ")

    def script(asked: Asked) -> Answer:
        challenge = f'Bearer realm="http://{asked.headers["host"]}/v2/token",service="devreg"'
        if asked.path == "/v2/token":
            if asked.authorization is None:
                return json_answer({"token": "anonymous", "access_token": "anonymous", "expires_in": 300})
            return json_answer({"token": mine}) if asked.authorization == BASIC else error_answer(401, "UNAUTHORIZED")
        if asked.path == "/v2/" and asked.authorization is None:
            return error_answer(401, "UNAUTHORIZED", WWW_Authenticate=challenge)
        if asked.method == "GET":
            return TAGS
        if asked.authorization == f"Bearer {mine}":
            return Answer(202, headers={"Location": "/v2/app/blobs/uploads/1?_state=x"})
        return error_answer(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    server = serve(script, bare=True)
    assert list(opened(server).tags("app")) == ["1"]
    assert list(opened(server, credentials=Credentials("alice", "stale")).tags("app")) == ["1"]
    assert opened(server, credentials=ALICE).prove_write("app") is True
    assert server.lines[-1] == "DELETE /v2/app/blobs/uploads/1?_state=x"
    assert server.asked[-1].authorization == f"Bearer {mine}"
    for credentials in (None, Credentials("alice", "wrong")):
        with pytest.raises(NotAuthorized):
            opened(server, credentials=credentials).prove_write("app")


@pytest.mark.parametrize(("password", "right"), [("s3cret", True), ("wr0ng", False)])
def test_where_the_ping_wants_a_password_it_tells_whether_it_is_right(
    serve: Serve, opened: Open, password: str, right: bool
) -> None:
    server = serve(behind_basic, bare=True)
    assert opened(server, credentials=Credentials("alice", password)).checks_password() is right


def test_a_ping_that_is_open_tells_nothing(serve: Serve, opened: Open) -> None:
    assert opened(serve(writes_behind_basic, bare=True), credentials=ALICE).checks_password() is False


def test_who_is_known_and_may_not_is_told_from_who_is_not(serve: Serve, opened: Open) -> None:
    def denying(asked: Asked) -> Answer:
        known = asked.method == "POST" and asked.authorization == BASIC
        return error_answer(403, "DENIED", "not there") if known else behind_basic(asked)

    for credentials, denied in ((ALICE, True), (Credentials("alice", "wr0ng"), False)):
        with pytest.raises(NotAuthorized) as caught:
            opened(serve(denying), credentials=credentials).prove_write("app")
        assert caught.value.denied is denied
