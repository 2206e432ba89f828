"""Registries that mean harm: whatever they answer, a command ends soon, says why, and gives nothing away."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

from devreg.model.manifest import OCI_IMAGE
from devreg.model.wire import digest_of
from devreg.registry import pages
from tests.cli.conftest import Outcome, Run, Serve
from tests.cli.registry import PASSWORD, USER, guarded
from tests.cli.test_copy import World
from tests.cli.test_inspect import CONFIG_TYPE, LAYERS
from tests.cli.test_tree import Repository
from tests.http.server import Answer, Asked, ScriptedServer, basic, error_answer, json_answer
from tests.pictures.screen import on_terminal
from tests.unit.engine.fake import FakeEngine

EVIL = "[red]x[/red]\x1b]0;t\x07\x9b2J\u202e\ud800\nforged: y"
DEEP = b'{"tags": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
BOMB = Answer(200, gzip.compress(bytes(9 * 2**20)), {"Content-Encoding": "gzip"})
LONG = bytes(100 * 2**20)
CONFIG = b"{}"
NONE = f"sha256:{'0' * 64}"
ASKS = error_answer(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="r"')


def image(config: str = digest_of(CONFIG), size: object = len(CONFIG)) -> bytes:
    described = {"mediaType": CONFIG_TYPE, "size": size, "digest": config}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": described, "layers": LAYERS}).encode()


class Hostile(Repository):
    """A registry of one repository: its tag `good` is an image, and `bad` is answered as is told. So may be its lists,
    and the blob that is the config of both."""

    def __init__(self, bad: Answer | None = None, lists: Answer | None = None, config: Answer | None = None) -> None:
        super().__init__()
        self.bad, self.lists, self.config = bad, lists, config
        self.blobs[digest_of(CONFIG)] = CONFIG
        self.put(OCI_IMAGE, json.loads(image()), "good")

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.endswith(("/_catalog", "/tags/list")):
            return self.lists or json_answer({"repositories": ["app"], "tags": ["good", "bad"]})
        if asked.path == "/v2/app/manifests/bad" and self.bad is not None:
            return self.bad
        if asked.path.endswith(f"/blobs/{digest_of(CONFIG)}") and self.config is not None:
            return self.config
        return super().__call__(asked)


def manifest(body: bytes, **headers: str) -> Answer:
    """An answer whose digest is right."""
    return Answer(200, body, {"Content-Type": OCI_IMAGE, "Docker-Content-Digest": digest_of(body), **headers})


def told(digest: str) -> Answer:
    return Answer(200, image(), {"Content-Type": OCI_IMAGE, "Docker-Content-Digest": digest})


def is_inert(outcome: Outcome) -> bool:
    """Whether it only writes lines of text, none of which is the registry's, and did not break down."""
    lines = [*outcome.out.split("\n"), *outcome.err.split("\n")]
    is_text = all(line.isprintable() and not line.startswith("forged") for line in lines)
    return is_text and outcome.code != 3 and "Traceback" not in outcome.err


def is_as_it_was(server: ScriptedServer) -> bool:
    """Whether nothing was sent there, and nothing deleted but what the user named, or what cannot be there."""
    changes = [asked for asked in server.asked if asked.method not in ("GET", "HEAD")]
    return all(asked.method == "DELETE" and asked.path.endswith(("/bad", NONE)) for asked in changes)


MANIFESTS = {
    "100 MB": Answer(200, LONG),
    "100 MB of unknown length": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n" + LONG),
    "a bomb": BOMB,
    "another digest": told(NONE),
    "a digest that is a path": told("sha256:../../../etc/passwd"),
    "no UTF-8": manifest(b'{"mediaType": "\xff"}'),
    "deep": manifest(DEEP),
    "a size below zero": manifest(image(size=-1)),
    "a size of 400 digits": manifest(image(size=10**400)),
    "a size that is a fraction": manifest(image(size=2.5)),
    "a size that is a text": manifest(image(size="2")),
    "a size that is no number": manifest(image(size=float("nan"))),
    "a path within": manifest(image(config="sha256:../../../etc/passwd")),
    "redirected without end": Answer(307, headers={"Location": "/v2/app/manifests/bad"}),
    "redirected to a file": Answer(307, headers={"Location": "file:///etc/passwd"}),
    "an error": error_answer(400, EVIL, EVIL),
    "an error of 100 MB": Answer(400, LONG),
    "a deep error": Answer(400, b'{"errors": ' + DEEP + b"}"),
}
READING = {
    ("repos", "--details"): 1,
    ("tags", "app"): 1,
    ("tree", "app"): 1,
    ("inspect", "app:bad"): 20,
    ("copy", "app:bad", "other"): 20,
    ("rm", "app:bad", "--yes"): 20,
}


@pytest.mark.parametrize("bad", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest(run: Run, serve: Serve, bad: Answer) -> None:
    server = serve(Hostile(bad))
    for words, code in READING.items():
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, code, True)
    assert "\ngood  " in run("tags", "app").out
    assert any(line.split()[3:4] == ["error"] for line in run("prune", "app", "--keep", "1").out.splitlines())
    assert is_as_it_was(server)


def test_an_answer_that_never_begins(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVREG_TIMEOUT", "0.2")
    server = serve(Hostile(Answer(raw=b"", drip=[b"HTTP/1.1 102 Processing\r\n\r\n"] * 500)))
    for words, code in READING.items():
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, code, True)
    assert server.outwaited == 0


BY_HEAD = ["a digest that is a path", "redirected without end", "an error"]


@pytest.mark.parametrize("name", BY_HEAD)
def test_a_manifest_whose_digest_is_asked_for(run: Run, serve: Serve, fake: FakeEngine, name: str) -> None:
    serve(Hostile(MANIFESTS[name]))
    outcome = run("latest", "app:good")
    assert (outcome.code, is_inert(outcome)) == (1, True)
    outcome = run("pull", "app:bad")  # which is the engine's to judge; devreg has nothing to compare it with
    assert (outcome.code, is_inert(outcome)) == (0, True)
    assert "was not compared" in outcome.err
    assert fake.requests("POST", "/images/create$")


def test_headers_of_10_mb(run: Run, serve: Serve) -> None:
    long = Answer(200, image(), {"X": "y" * 10 * 2**20})
    serve(Hostile(long, lists=long))
    for words in (["tags", "app"], ["inspect", "app:bad"]):
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, 20, True)


@pytest.mark.parametrize("config", [Answer(200, b"[]"), Answer(200, LONG), BOMB], ids=["another", "100 MB", "a bomb"])
def test_a_config(run: Run, serve: Serve, config: Answer) -> None:
    serve(Hostile(config=config))
    for words in (("tags", "app", "--filter", "good"), ("inspect", "app:good"), ("repos", "--details")):
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, 1, True)


@pytest.mark.parametrize("blob", [b"LAYER", b"short", b"layer and more"])
def test_a_blob_that_is_another_is_copied_under_no_name(run: Run, serve: Serve, blob: bytes) -> None:
    world = World(serve)
    world.one.image("app", "1")
    world.one.repositories["app"].blobs[digest_of(b"layer")] = blob
    outcome = run("copy", f"{world.source}:1", world.target)
    assert (outcome.code, is_inert(outcome)) == (20, True)
    assert world.two.manifests == {}


LISTS = {
    "100 MB": Answer(200, LONG),
    "a bomb": BOMB,
    "deep": Answer(200, DEEP.replace(b"tags", b"repositories")[:-1] + b", " + DEEP[1:]),
    "no UTF-8": Answer(200, b'{"tags": ["\xff"], "repositories": ["\xff"]}'),
    "no names": json_answer({"repositories": [1], "tags": [1]}),
    "the same page again": json_answer({"repositories": ["app"], "tags": ["1"]}, Link="<?last=1>; rel=next"),
    "a link to nowhere": json_answer({"repositories": ["app"], "tags": ["1"]}, Link="<http://[::>; rel=next"),
    "an error": error_answer(400, EVIL, EVIL),
}
LISTING = [
    *(["repos"], ["tags", "app"], ["tree", "app"], ["latest", "app"]),
    *(["prune", "app", "--keep", "1"], ["rm", "app:good", "--digest", "--yes"]),
    *(["copy", "app:*", "other"], ["pull", "app:*"]),
]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_a_list(run: Run, serve: Serve, lists: Answer) -> None:
    server = serve(Hostile(lists=lists))
    for words in LISTING:
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, 20, True)
    assert is_as_it_was(server)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("words", LISTING, ids=" ".join)
def test_a_list_without_end(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 5)

    def script(asked: Asked) -> Answer:
        if not asked.path.endswith(("/_catalog", "/tags/list")):
            return Hostile()(asked)
        page = int(asked.query.get("last", ["0"])[0]) + 1
        names = {"repositories": [f"app{page}"], "tags": [f"1.{page}"]}
        return json_answer(names, Link=f'<?last={page}>; rel="next"')

    server = serve(script)
    outcome = run(*words)
    assert (outcome.code, is_inert(outcome)) == (20, True)
    assert "do not end" in outcome.err
    assert len([line for line in server.lines if "last=" in line]) == 5


def test_a_million_names(run: Run, serve: Serve) -> None:
    def script(asked: Asked) -> Answer:
        page = int(asked.query.get("last", ["0"])[0])
        body = b'{"repositories": ["r%d"' % page + 99_999 * b', "r"' + b"]}"
        return Answer(200, body, {"Link": f"<?last={page + 1}>; rel=next"} if page < 9 else {})

    server = serve(script)
    outcome = run("repos", "--filter", "r9")
    assert (outcome.code, outcome.out) == (0, "r9\n")
    assert len(server.asked) == 1 + 10
    outcome = run("repos", "--json")
    assert (outcome.code, "more than 200000 repositories" in outcome.out) == (20, True)
    assert len(server.asked) == 12 + 3, "no page more than are needed to see that"


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("words", LISTING[1:], ids=" ".join)
def test_a_million_tags(run: Run, serve: Serve, words: list[str]) -> None:
    million = Answer(200, b'{"tags": ["1"' + 999_999 * b',"1"' + b"]}")
    server = serve(Hostile(lists=million))
    outcome = run(*words)
    assert (outcome.code, is_inert(outcome)) == (20, True)
    assert "cannot list the tags of app: there are more than 200000" in outcome.err
    assert is_as_it_was(server)


def test_names_that_are_none(run: Run, serve: Serve) -> None:
    names = [EVIL, "../../x", NONE, "x" * 100_000]
    serve(Hostile(lists=json_answer({"repositories": [*names, "app"], "tags": [*names, "good"]})))
    for words in (["tags", "app"], ["tree", "app"], ["repos", "--details"], ["latest", "app:good"]):
        outcome = run(*words)
        assert (words, outcome.code, is_inert(outcome)) == (words, 1, True), outcome
    for words in (["prune", "app", "--keep", "1"], ["copy", "app:*", "other"], ["repos"]):
        assert is_inert(run(*words))


@pytest.mark.parametrize("command", ["tags", "inspect"])
def test_a_host_that_may_not_have_the_password(run: Run, serve: Serve, command: str) -> None:
    """Neither the one that is named as the token server, nor the one that is redirected to; only the registry may."""
    elsewhere = serve(lambda _: ASKS)
    thief = f"http://localhost:{elsewhere.port}"
    realms = [
        error_answer(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{url}/token",service="s"')
        for url in (thief, thief.replace("http:", "https:"))
    ]
    redirect = Answer(307, headers={"Location": f"{thief}/x"})
    answers = [ASKS]
    server = serve(lambda asked: answers[0] if asked.method in ("GET", "HEAD") else guarded(asked))
    assert run("login", server.host, "-u", USER, "--password-stdin", input=PASSWORD).code == 0
    for answers[0] in (*realms, redirect, ASKS):
        server.asked.clear()
        outcome = run(command, f"{server.host}/app")
        assert (outcome.code, is_inert(outcome)) == (21, True), outcome
        assert PASSWORD not in outcome.out + outcome.err
        sent = {asked.authorization for asked in server.asked}
        assert sent == ({None, basic(USER, PASSWORD)} if answers[0] is ASKS else {None})
    assert {asked.authorization for asked in elsewhere.asked} == {None}, "it was redirected to, with nothing secret"


@pytest.mark.parametrize("words", [["repos"], ["inspect", "app:bad"]], ids=" ".join)
def test_on_a_terminal(serve: Serve, words: list[str]) -> None:
    """The real program, 80 columns wide. What it writes of its own are colours."""
    hostile = Hostile(lists=json_answer({"repositories": [EVIL, "r" * 100]}))
    evil = {"config": {"Labels": {EVIL: EVIL}, "Env": [EVIL]}, "history": [{"created_by": EVIL}] * len(LAYERS)}
    hostile.tag("bad", hostile.image(evil, annotations={EVIL: EVIL}))
    serve(hostile)
    written = on_terminal([sys.executable, "-m", "devreg", *words])
    assert [each for each in ("\x1b]", "\x07", "\x9b", "\u202e", "\nforged") if each in written] == []
    assert r"[red]x[/red]\x1b]0;t\x07\x9b2J\u202e\ud800\nforged: y" in written
