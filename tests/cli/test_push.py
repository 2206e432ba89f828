"""`devreg push`, with an engine at a real socket and a registry at another."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from devreg.host import credentials
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from tests.cli import registry
from tests.cli.conftest import NOBODY, Run
from tests.cli.registry import PASSWORD, USER, Store
from tests.cli.test_process import DEVREG, SECONDS, at_terminal, plain, read_until
from tests.http.server import Answer, Asked, ScriptedServer, error_answer
from tests.unit.engine.fake import DIGEST, FakeEngine
from tests.unit.engine.stored import Image, docker_archive, image, layout, tarred

APP, OTHER = image("base", "app"), image("base", "other")
WRITES = ("POST", "PATCH", "PUT", "DELETE")
Serve = Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """Streams of the engine that were left in the middle are collected at its end, and not within a later push."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def here(fake: FakeEngine) -> FakeEngine:
    """An engine with two images."""
    fake.add("app:1", APP)
    fake.add("other:2", OTHER)
    return fake


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a registry, and make it the default."""
    monkeypatch.setattr("httpx_retries.retry.time.sleep", lambda _seconds: None)
    started: list[ScriptedServer] = []

    def start(store: Store) -> ScriptedServer:
        started.append(ScriptedServer(store).__enter__())
        monkeypatch.setenv("DEVREG_REGISTRY", started[-1].host)
        return started[-1]

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def store() -> Store:
    """What the registry `server` has."""
    return Store()


@pytest.fixture
def server(serve: Serve, store: Store) -> ScriptedServer:
    """A registry that anybody may write to, the default one."""
    return serve(store)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log_in(server: ScriptedServer, password: str = PASSWORD) -> None:
    credentials.store(Address.parse(server.host), Credentials(USER, password))


def sent(server: ScriptedServer, *methods: str) -> list[Asked]:
    """What the registry was asked to do."""
    return [asked for asked in server.asked if asked.method in (methods or WRITES)]


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def saved(folder: Path, *images: tuple[Image, tuple[str, ...]], name: str = "saved.tar") -> Path:
    """A file as `docker save` writes it."""
    (folder / name).write_bytes(docker_archive(images))
    return folder / name


def spawn(*words: str, input: bytes | None = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*DEVREG, *words], input=input, env={**os.environ, **environment}, capture_output=True, timeout=SECONDS
    )


class TestNames:
    """Where images go: the engine pushes, so that what it is asked for shows their names."""

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            (("app:1",), f"{NOBODY}/app"),
            (("app:1", "--to", "reg:1"), "reg:1/app"),
            (("app:1", "--to", "reg:1/ci/nightly"), "reg:1/ci/nightly/app"),
            (("app:1", "--as", "team/tool:1"), f"{NOBODY}/team/tool"),
            (("app:1", "--as", "reg:1/tool:1"), "reg:1/tool"),
            (("app:1", "--as", "reg:1/tool:1", "--to", "reg:2/ci"), "reg:2/ci/tool"),
            (("reg.example:5000/team/app:1",), "reg.example:5000/team/app"),
            (("reg.example:5000/team/app:1", "--registry", "reg:1"), "reg.example:5000/team/app"),
            (("reg.example:5000/team/app:1", "--to", "reg:1"), "reg:1/team/app"),
        ],
    )
    def test_stdout_is_the_digest_reference_and_nothing_else(
        self, run: Run, here: FakeEngine, words: tuple[str, ...], name: str
    ) -> None:
        here.add("reg.example:5000/team/app:1", APP)
        outcome = run("push", *words, "--via", "engine")
        assert (outcome.code, outcome.out) == (0, f"{name}@{DIGEST}\n")
        assert f"pushing {name}:1" in outcome.err
        assert here.images[f"{name}:1"] == APP.id

    @pytest.mark.parametrize(
        ("words", "tags"),
        [
            (("app:1",), ["1"]),
            (("app:1", "-t", "2"), ["2"]),
            (("app:1", "-t", "2", "--tag", "latest", "-t", "2"), ["2", "latest"]),
            (("app:1", "--as", "app:3"), ["3"]),
            (("app:1", "--as", "app"), ["latest"]),
            (("app:1", "--as", "app:3", "-t", "4"), ["4"]),
        ],
    )
    def test_tags(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, words: tuple[str, ...], tags: list[str]
    ) -> None:
        del here
        outcome = run("push", *words, "--via", "direct")
        assert list(store.tags("app")) == tags
        assert outcome.out == f"{server.host}/app@{store.tags('app')[tags[0]]}\n" * len(tags)

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (("app:1", "other:2", "--as", "x"), "--as is for one image"),
            (("app:1", "--as", ""), "not an image reference"),
            (("app:1", "--to", ""), "not a registry address"),
            (("app:1", "-t", ""), "is not a tag"),
            (("app:1", "-t", "reg:1/app:2"), "is not a tag"),
            (("app:1", "--as", f"app@{DIGEST}"), "names a digest"),
            ((f"app@{DIGEST}",), "names a digest"),
            (("app:1", "Other:2"), "lower case"),
            (("app:1", "a" * 300), "a repository name is"),
            (("app:1", "app:2", "-t", "x"), "app:1 and app:2 would both be"),
            (("r1:1/app:1", "r2:2/app:1", "--to", "reg:1"), "r1:1/app:1 and r2:2/app:1 would both be reg:1/app:1"),
            (("app:1", "--timeout", "0"), "timeout"),
            (("app:1", "--timeout", "nan"), "timeout"),
            (("app:1", "--via", "skopeo"), "--via"),
        ],
    )
    def test_what_cannot_be_meant_pushes_nothing(
        self, run: Run, here: FakeEngine, server: ScriptedServer, words: tuple[str, ...], why: str
    ) -> None:
        outcome = run("push", *words)
        assert (outcome.code, outcome.out) == (2, "")
        assert why in outcome.err
        assert server.asked == []
        assert here.requests("POST", "/") == []

    def test_the_same_word_twice_is_one_image(self, run: Run, here: FakeEngine, server: ScriptedServer) -> None:
        del here
        assert run("push", "app:1", "app:1").out.count("@sha256:") == 1
        assert len(sent(server, "PUT")) == 4  # two layers, a config, a manifest

    @pytest.mark.parametrize(
        "spelled", [lambda id: id[7:19], lambda id: id[7:], lambda id: id], ids=["12", "64", "all"]
    )
    def test_an_id_is_no_name(self, run: Run, here: FakeEngine, spelled: Callable[[str], str]) -> None:
        before = dict(here.images)
        outcome = run("push", spelled(APP.id))
        assert outcome.code == 2
        assert f"devreg tag {spelled(APP.id)} NAME:TAG" in outcome.err
        assert "--as NAME" in outcome.err
        assert here.images == before
        assert here.requests("POST", "/push$") == []

    @pytest.mark.parametrize("via", ["engine", "direct"])
    def test_an_id_with_a_name(self, run: Run, here: FakeEngine, server: ScriptedServer, via: str) -> None:
        outcome = run("push", APP.id[7:19], "--as", "tool:3", "--via", via)
        assert outcome.code == 0, outcome.err
        assert here.images[f"{server.host}/tool:3"] == APP.id


class TestResults:
    def test_json_by_the_engine(self, run: Run, here: FakeEngine) -> None:
        del here
        outcome = run("push", "app:1", "--json")
        assert outcome.document["changed"] is True
        assert outcome.data == {
            "pushed": [
                {
                    "image": "app:1",
                    "reference": f"{NOBODY}/app:1",
                    "digest": DIGEST,
                    "route": "engine",
                    "bytes_sent": 10,
                    "layers": {"sent": 1, "mounted": 0, "existing": 1},
                }
            ]
        }

    def test_json_directly(self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer) -> None:
        """The bytes and layers of an image are told with its first name."""
        del here
        outcome = run("push", "app:1", "-t", "a", "-t", "b", "--via", "direct", "--json")
        bodies = sum(len(asked.body) for asked in sent(server, "PATCH", "PUT") if "/blobs/" in asked.path)
        assert [
            (each["reference"], each["route"], each["bytes_sent"], each["layers"]) for each in outcome.data["pushed"]
        ] == [
            (f"{server.host}/app:a", "direct", bodies, {"sent": 2, "mounted": 0, "existing": 0}),
            (f"{server.host}/app:b", "direct", 0, {"sent": 0, "mounted": 0, "existing": 2}),
        ]
        assert {each["digest"] for each in outcome.data["pushed"]} == set(store.tags("app").values())

    def test_layers_that_another_image_has_brought_are_there(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer
    ) -> None:
        del here, server
        outcome = run("push", "app:1", "other:2", "--via", "direct", "--json")
        assert [each["layers"] for each in outcome.data["pushed"]] == [
            {"sent": 2, "mounted": 0, "existing": 0},
            {"sent": 1, "mounted": 1, "existing": 0},
        ]
        assert store.diff_ids("other", "2") == OTHER.diff_ids
        again = run("push", "app:1", "other:2", "--via", "direct", "--json")
        assert [each["layers"] for each in again.data["pushed"]] == [{"sent": 0, "mounted": 0, "existing": 2}] * 2
        assert [each["bytes_sent"] for each in again.data["pushed"]] == [0, 0]

    def test_two_images_of_one_repository(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer
    ) -> None:
        here.add("app:2", OTHER)
        outcome = run("push", "app:1", "app:2", "--via", "direct", "--json")
        assert [each["layers"] for each in outcome.data["pushed"]] == [
            {"sent": 2, "mounted": 0, "existing": 0},
            {"sent": 1, "mounted": 0, "existing": 1},
        ]
        assert store.diff_ids("app", "2") == OTHER.diff_ids
        assert list(store.tags("app")) == ["1", "2"]
        assert server.lines.index("PUT /v2/app/manifests/1") > max(
            at for at, line in enumerate(server.lines) if line.startswith("PUT") and "/blobs/" in line
        )

    def test_the_digest_file_has_a_line_for_each_name(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, tmp_path: Path
    ) -> None:
        del here, server
        file = tmp_path / "new/digests"
        assert run("push", "app:1", "other:2", "-t", "a", "-t", "b", "--digest-file", str(file)).code == 0
        app, other = store.tags("app")["a"], store.tags("other")["a"]
        assert file.read_text().split("\n") == [app, app, other, other, ""]

    def test_github_gets_outputs_after_those_that_it_has(
        self,
        run: Run,
        here: FakeEngine,
        store: Store,
        server: ScriptedServer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        del here
        file = tmp_path / "outputs"
        file.write_text("before=1\n")
        monkeypatch.setenv("GITHUB_OUTPUT", str(file))
        assert run("push", "app:1", "other:2").code == 0
        app, other = store.tags("app")["1"], store.tags("other")["2"]
        assert file.read_text().split("\n") == [
            "before=1",
            f"digest={app}",
            "references<<devreg-end",
            f"{server.host}/app@{app}",
            f"{server.host}/other@{other}",
            "devreg-end",
            "",
        ]

    def test_outputs_are_not_touched_where_nothing_is_up(
        self, run: Run, here: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        del here
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
        assert run("push", "nope:1", "--digest-file", str(tmp_path / "digests")).code == 22
        assert sorted(each.name for each in tmp_path.iterdir()) == ["home"]

    @pytest.mark.parametrize("as_json", [False, True])
    def test_a_digest_file_that_cannot_be_written_hides_no_result(
        self,
        run: Run,
        here: FakeEngine,
        server: ScriptedServer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        as_json: bool,
    ) -> None:
        del here
        (tmp_path / "file").touch()
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
        words = ["--json"] if as_json else []
        outcome = run("push", "app:1", "--digest-file", str(tmp_path / "file/digests"), *words)
        assert outcome.code == 1
        assert f"up are {server.host}/app:1" in outcome.err
        if as_json:
            assert [error["code"] for error in outcome.document["errors"]] == ["config-unusable"]
            assert len(outcome.data["pushed"]) == 1
        else:
            assert outcome.out.startswith(f"{server.host}/app@sha256:")
            assert "could not write" in outcome.err
        assert (tmp_path / "outputs").read_text().startswith("digest=sha256:")

    def test_the_choice_and_its_reason_are_one_line_on_stderr(
        self, run: Run, here: FakeEngine, server: ScriptedServer
    ) -> None:
        del here
        lines = run("push", "app:1", "--via", "direct").err.splitlines()
        assert lines[0] == f"pushing app:1 to {server.host}/app, direct: as asked for"

    def test_quiet_is_silent(self, run: Run, here: FakeEngine, server: ScriptedServer) -> None:
        del here, server
        for via in ("engine", "direct"):
            outcome = run("push", "app:1", "--quiet", "--via", via)
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.out.count("\n") == 1

    def test_a_push_without_a_digest_in_the_answer_is_a_failure(self, run: Run, here: FakeEngine) -> None:
        here.push_lines = [{"status": "Pushed", "id": "a" * 12}]
        outcome = run("push", "app:1")
        assert (outcome.code, outcome.out) == (23, "")


class TestSomeFail:
    def test_which_are_up_and_which_are_not(self, run: Run, here: FakeEngine, server: ScriptedServer) -> None:
        del here
        outcome = run("push", "nope:1", "app:1", "./nope.tar")
        assert outcome.code == 1
        assert outcome.out.startswith(f"{server.host}/app@sha256:")
        last = outcome.err.splitlines()[-2]
        assert "nope:1, ./nope.tar failed" in last
        assert f"up are {server.host}/app:1" in last
        assert outcome.err.index("no local image nope:1") < outcome.err.index("nope.tar cannot be read")

    def test_as_json(self, run: Run, here: FakeEngine) -> None:
        del here
        outcome = run("push", "nope:1", "app:1", "--json")
        assert outcome.code == 1
        assert (outcome.document["ok"], outcome.document["changed"]) == (False, True)
        assert [each["image"] for each in outcome.data["pushed"]] == ["app:1"]
        assert [error["code"] for error in outcome.document["errors"]] == ["not-found"]

    @pytest.mark.parametrize(("names", "code"), [(("app:1", "nope:1"), 23), (("nope:1", "app:1"), 22)])
    def test_all_end_with_the_first_ones_code(
        self, run: Run, here: FakeEngine, names: tuple[str, ...], code: int
    ) -> None:
        here.push_lines = [{"error": "blob upload unknown"}]
        outcome = run("push", *names)
        assert (outcome.code, outcome.out) == (code, "")
        assert outcome.err.count("  next: ") == 2
        as_json = run("push", *names, "--json")
        assert as_json.code == code
        assert (as_json.document["ok"], as_json.document["changed"], as_json.data) == (False, False, {"pushed": []})
        assert {error["code"] for error in as_json.document["errors"]} == {"upload-failed", "not-found"}

    @pytest.mark.parametrize("via", ["engine", "direct"])
    def test_a_tag_that_fails_does_not_hide_those_that_are_up(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, via: str
    ) -> None:
        def refuse(asked: Asked) -> Answer | None:
            return error_answer(403, "DENIED", "b is protected") if asked.line == "PUT /v2/app/manifests/b" else None

        store.before = refuse
        if via == "engine":
            here.push_refusals = {"b": "denied: b is protected"}
        outcome = run("push", "app:1", "-t", "a", "-t", "b", "-t", "c", "--via", via)
        assert outcome.code == 1
        assert outcome.out.count(f"{server.host}/app@sha256:") == 2
        assert "b is protected" in outcome.err
        last = outcome.err.splitlines()[-2]
        assert f"{server.host}/app:b failed; up are {server.host}/app:a, {server.host}/app:c" in last


class TestNoClobber:
    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    def test_a_tag_of_something_else_stays(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, via: str
    ) -> None:
        """That is found before anything is sent, also where another tag could be set."""
        store.tag("app", "2")
        outcome = run("push", "app:1", "-t", "1", "-t", "2", "--no-clobber", "--via", via)
        assert (outcome.code, outcome.out) == (24, "")
        assert f"{server.host}/app:2" in outcome.err
        assert registry.DIGEST in outcome.err
        assert sent(server) == []
        assert here.requests("POST", "/") == []

    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    def test_the_same_image_is_fine(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, via: str
    ) -> None:
        del here, server
        run("push", "app:1", "--via", "direct")
        before = store.tags("app")
        assert run("push", "app:1", "--no-clobber", "--via", via).code == 0
        assert store.tags("app") == before

    def test_the_other_images_go_up(self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer) -> None:
        del here, server
        store.tag("app", "1")
        outcome = run("push", "app:1", "other:2", "--no-clobber")
        assert outcome.code == 1
        assert store.diff_ids("other", "2") == OTHER.diff_ids
        assert store.tags("app") == {"1": registry.DIGEST}

    def test_a_registry_that_does_not_tell_its_tags_gets_nothing(self, run: Run, here: FakeEngine) -> None:
        outcome = run("push", "app:1", "--no-clobber")
        assert outcome.code == 20
        assert here.requests("POST", "/") == []

    def test_an_archive(self, run: Run, store: Store, server: ScriptedServer, folder: Path) -> None:
        store.tag("app", "1")
        saved(folder, (APP, ("app:1",)))
        assert run("push", "saved.tar", "--no-clobber").code == 24
        assert sent(server) == []
        assert store.tags("app") == {"1": registry.DIGEST}
        assert run("push", "saved.tar").code == 0
        assert run("push", "saved.tar", "--no-clobber").code == 0
        assert store.diff_ids("app", "1") == APP.diff_ids


class TestRoutes:
    """Which way `auto` takes, and what each does."""

    def test_nothing_is_exported_of_an_image_that_is_there(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer
    ) -> None:
        run("push", "app:1", "--via", "direct")
        asked = len(here.requests("GET", "/get$"))
        outcome = run("push", "app:1", "-t", "2")
        assert "direct: it is there already" in outcome.err
        assert len(here.requests("GET", "/get$")) == asked
        assert store.tags("app")["2"] == store.tags("app")["1"]
        assert [each.path for each in sent(server)][-1] == "/v2/app/manifests/2"

    def test_containerds_store_pushes_itself(self, run: Run, fake: FakeEngine, server: ScriptedServer) -> None:
        del server
        fake.keeps_in_containerd()
        fake.add("app:1", APP)
        outcome = run("push", "app:1")
        assert ", engine: 2 of 2 layers" in outcome.err
        assert outcome.out.endswith(f"/app@{DIGEST}\n")

    def test_containerds_store_directly_keeps_the_digest(
        self, run: Run, fake: FakeEngine, store: Store, server: ScriptedServer
    ) -> None:
        fake.keeps_in_containerd()
        fake.add("app:1", APP)
        outcome = run("push", "app:1", "--via", "direct")
        assert outcome.out == f"{server.host}/app@{APP.manifest_digest}\n", outcome.err
        assert store.tags("app") == {"1": APP.manifest_digest}

    def test_a_registry_that_only_the_engine_reaches(self, run: Run, here: FakeEngine) -> None:
        outcome = run("push", "app:1")
        assert outcome.code == 0
        assert "engine: devreg does not get as far itself (" in outcome.err
        assert len(here.requests("POST", "/push$")) == 1

    def test_a_registry_that_only_the_engine_reaches_is_not_waited_for_with_each_image(
        self, run: Run, here: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[object] = []
        opened = socket.create_connection

        def connect(address: tuple[str, int], *words: Any, **options: Any) -> socket.socket:
            tried.append(address)
            return opened(address, *words, **options)

        monkeypatch.setattr(socket, "create_connection", connect)
        run("push", "app:1", "-t", "a")
        alone = len(tried)
        tried.clear()
        assert run("push", "app:1", "other:2", "-t", "a").code == 0
        assert len(tried) == alone > 0
        assert len(here.requests("POST", "/push$")) == 3

    def test_a_registry_that_the_engine_does_not_trust(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolved = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *more, **options: resolved("127.0.0.1" if host == "reg.test" else host, *more, **options),
        )
        here.keeps_in_containerd()
        here.add("app:1", APP)
        outcome = run("push", "app:1", "--to", f"http://reg.test:{server.port}")
        assert outcome.code == 0, outcome.err
        assert f"direct: the engine does not trust reg.test:{server.port}" in outcome.err
        assert outcome.out.startswith(f"reg.test:{server.port}/app@sha256:")
        assert store.tags("app")["1"] == APP.manifest_digest

    def test_a_registry_that_asks_at_the_first_write_only(self, run: Run, here: FakeEngine, serve: Serve) -> None:
        store = Store(guards=WRITES)
        server = serve(store)
        log_in(server)
        outcome = run("push", "app:1")
        assert outcome.code == 0, outcome.err
        assert "direct: the engine would send no password to" in outcome.err
        assert here.requests("POST", "/push$") == []
        assert store.diff_ids("app", "1") == APP.diff_ids

    def test_the_engine_pushes_there_if_it_is_told_to_and_the_way_out_is_named(
        self, run: Run, here: FakeEngine, serve: Serve
    ) -> None:
        server = serve(Store(guards=WRITES))
        log_in(server)
        here.push_lines = [{"error": "unauthorized: authentication required"}]
        outcome = run("push", "app:1", "--via", "engine")
        assert outcome.code == 23
        assert "devreg push --via direct" in outcome.err

    def test_what_the_engine_does_not_get_through_goes_directly(
        self, run: Run, fake: FakeEngine, store: Store, server: ScriptedServer
    ) -> None:
        del server
        fake.keeps_in_containerd()
        fake.add("app:1", image("base", "app", size=2_000_000))
        fake.push_lines = [{"error": "unexpected status: 413 Request Entity Too Large"}]
        outcome = run("push", "app:1", "-t", "a", "-t", "b", "--json")
        assert outcome.code == 0, outcome.err
        assert ", engine: " in outcome.err
        assert "413 Request Entity Too Large; now directly" in outcome.err
        assert [(each["route"], each["layers"]["sent"]) for each in outcome.data["pushed"]] == [
            ("direct", 2),
            ("direct", 0),
        ]
        assert list(store.tags("app")) == ["a", "b"]
        assert len(fake.requests("POST", "/push$")) == 1

    def test_the_hub_is_the_engines(self, run: Run, here: FakeEngine) -> None:
        outcome = run("push", "app:1", "--as", "docker.io/me/app:1")
        assert (outcome.code, outcome.out) == (0, f"docker.io/me/app@{DIGEST}\n")
        assert ", engine: it is for docker.io" in outcome.err
        assert len(here.requests("POST", "/push$")) == 1

    @pytest.mark.parametrize("number", [1, 3])
    def test_an_export_that_breaks_off_is_no_bug(
        self, run: Run, here: FakeEngine, store: Store, server: ScriptedServer, number: int
    ) -> None:
        del server
        whole = docker_archive([(APP, ())])
        here.saved = [whole[: len(whole) // 4 * number]]
        outcome = run("push", "app:1", "--via", "direct")
        assert outcome.code == 23
        assert "the engine's export" in outcome.err
        assert store.tags("app") == {}
        assert run("push", "app:1", "--via", "direct").code == 0

    def test_an_engine_that_does_not_export_is_told(self, run: Run, here: FakeEngine, server: ScriptedServer) -> None:
        del server
        here.refusals[f"GET /images/{APP.id}/get"] = (500, "no space left on device")
        outcome = run("push", "app:1", "--via", "direct")
        assert outcome.code == 11
        assert "no space left on device" in outcome.err


class TestCredentials:
    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    @pytest.mark.parametrize("challenges", [False, True])
    def test_wrong_ones(self, run: Run, here: FakeEngine, serve: Serve, via: str, challenges: bool) -> None:
        server = serve(Store(guards=("GET", "HEAD", *WRITES) if challenges else WRITES, challenges=challenges))
        log_in(server, "old-secret")
        outcome = run("push", "app:1", "--via", via)
        assert (outcome.code, outcome.out) == (21, "")
        assert f"devreg login {server.host}" in outcome.err
        assert "old-secret" not in outcome.err
        assert here.requests("POST", "/push$") == []
        log_in(server)
        assert run("push", "app:1", "--via", via).code == 0

    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    @pytest.mark.parametrize("challenges", [False, True])
    def test_none(self, run: Run, here: FakeEngine, serve: Serve, via: str, challenges: bool) -> None:
        server = serve(Store(guards=WRITES, challenges=challenges))
        here.push_lines = [{"error": "no basic auth credentials"}]
        outcome = run("push", "app:1", "--via", via)
        assert (outcome.code, outcome.out) == (21, "")
        assert f"devreg login {server.host}" in outcome.err

    def test_podman_may_have_its_own(self, run: Run, here: FakeEngine, serve: Serve) -> None:
        serve(Store(guards=("GET", "HEAD", *WRITES), challenges=True))
        here.version["Components"] = [{"Name": "Podman Engine"}]
        outcome = run("push", "app:1")
        assert (outcome.code, outcome.out.endswith(f"@{DIGEST}\n")) == (0, True)

    def test_the_engine_gets_the_stored_ones(self, run: Run, here: FakeEngine) -> None:
        credentials.store(Address.parse(NOBODY), Credentials("alice", "s3cret"))
        run("push", "app:1")
        [request] = here.requests("POST", "/push$")
        assert request.auth == {"username": "alice", "password": "s3cret"}

    def test_a_password_in_the_address_is_not_repeated(self, run: Run, here: FakeEngine) -> None:
        del here
        for words in (("--to", "http://me:hunter2@reg:5000"), ("--registry", "me:hunter2@reg:5000")):
            outcome = run("push", "app:1", *words)
            assert outcome.code == 2
            assert "hunter2" not in outcome.err


class TestArchives:
    @pytest.mark.parametrize("word", ["saved.tar", "./saved.tar"])
    def test_a_file_without_an_engine(
        self, run: Run, store: Store, server: ScriptedServer, folder: Path, word: str
    ) -> None:
        saved(folder, (APP, ("app:1", "team/tool:2")), (OTHER, ("reg.example:5000/other:3",)))
        outcome = run("push", word, "--to", server.host)
        assert outcome.code == 0, outcome.err
        assert outcome.out == "".join(
            f"{server.host}/{name}@{store.tags(name)[tag]}\n"
            for name, tag in (("app", "1"), ("team/tool", "2"), ("other", "3"))
        )
        assert store.diff_ids("team/tool", "2") == APP.diff_ids
        assert store.diff_ids("other", "3") == OTHER.diff_ids
        assert f"pushing {word} to {server.host}/app, direct: it is an archive" in outcome.err

    @pytest.mark.parametrize("word", ["out", "out/", "./out"])
    def test_a_folder_with_an_oci_layout_is_kept_as_it_is(
        self, run: Run, store: Store, server: ScriptedServer, folder: Path, word: str
    ) -> None:
        written(folder / "out", layout(APP, ["docker.io/library/app:1"]))
        outcome = run("push", word)
        assert (outcome.code, outcome.out) == (0, f"{server.host}/app@{APP.manifest_digest}\n"), outcome.err
        assert store.tags("app") == {"1": APP.manifest_digest}

    def test_the_docker_sdk_is_not_imported_for_it(self, server: ScriptedServer, folder: Path) -> None:
        saved(folder, (APP, ("app:1",)))
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *DEVREG[1:], "push", "saved.tar"], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert done.stdout.startswith(server.host)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
        assert "devreg.direct.archive" in imported
        assert not imported & {"docker", "requests", "urllib3", "rich.progress"}

    @pytest.mark.parametrize(
        ("names", "words", "why"),
        [
            ((), (), "does not say what its image is called"),
            (("UPPER/x:1",), (), "saved.tar: not an image reference"),
            ((f"app@{DIGEST}",), (), "names a digest"),
            (("app:1",), ("--via", "engine"), "the engine does not push archives"),
        ],
    )
    def test_one_that_cannot_be_named(
        self,
        run: Run,
        server: ScriptedServer,
        folder: Path,
        names: tuple[str, ...],
        words: tuple[str, ...],
        why: str,
    ) -> None:
        saved(folder, (APP, names))
        outcome = run("push", "saved.tar", *words)
        assert (outcome.code, outcome.out) == (2, "")
        assert why in outcome.err
        assert words or "--as NAME[:TAG]" in outcome.err
        assert server.asked == []

    @pytest.mark.parametrize("names", [(), ("UPPER/x:1",), ("a b",)])
    def test_whatever_it_is_called_a_name_may_be_given(
        self, run: Run, store: Store, server: ScriptedServer, folder: Path, names: tuple[str, ...]
    ) -> None:
        del server
        saved(folder, (APP, names))
        assert run("push", "saved.tar", "--as", "app:2").code == 0
        assert store.diff_ids("app", "2") == APP.diff_ids

    def test_several_images_cannot_have_one_name(self, run: Run, server: ScriptedServer, folder: Path) -> None:
        saved(folder, (APP, ("app:1",)), (OTHER, ("app:2",)))
        for words, why in (
            (("--as", "x"), "has 2 images, which cannot have one name"),
            (("-t", "x"), "two images of saved.tar would both be"),
        ):
            outcome = run("push", "saved.tar", *words)
            assert outcome.code == 2
            assert why in outcome.err
        assert server.asked == []

    def test_an_archive_and_an_image_of_one_name(
        self, run: Run, here: FakeEngine, server: ScriptedServer, folder: Path
    ) -> None:
        del here
        saved(folder, (OTHER, ("app:1",)))
        outcome = run("push", "app:1", "saved.tar")
        assert outcome.code == 2
        assert f"app:1 and saved.tar would both be {server.host}/app:1" in outcome.err
        assert server.asked == []

    @pytest.mark.parametrize(
        ("word", "why"),
        [
            ("./nope", "No such file"),
            ("nope.tar", "No such file"),
            ("~/nope.tar", "No such file"),
            ("./empty", "no archive of images"),
            (".", "no archive of images"),
            ("./text.tar", "no tar"),
            ("/dev/null/x", "cannot be read"),
            ("./" + "x" * 300, "cannot be read"),
            ("./pipe", "neither a file nor a folder"),
        ],
    )
    def test_what_is_no_archive(self, run: Run, server: ScriptedServer, folder: Path, word: str, why: str) -> None:
        (folder / "empty").mkdir()
        (folder / "text.tar").write_text("text")
        os.mkfifo(folder / "pipe")
        outcome = run("push", word, "--as", "app:1")
        assert outcome.code == 23
        assert why in outcome.err
        assert "  next: " in outcome.err
        assert server.asked == []

    @pytest.mark.parametrize("word", ["app", "app.tar:latest"])
    def test_an_image_called_like_what_lies_here(
        self, run: Run, here: FakeEngine, server: ScriptedServer, folder: Path, word: str
    ) -> None:
        """A folder with an index.json or a manifest.json may be anything."""
        del server
        written(folder / "app", {"index.json": b"{}", "manifest.json": b"{}"})
        saved(folder, (OTHER, ("other:9",)), name="app.tar")
        here.add("app:latest", APP)
        here.add("app.tar:latest", APP)
        outcome = run("push", word, "--as", "mine:1", "--via", "engine")
        assert outcome.code == 0, outcome.err

    def test_a_folder_that_was_taken_for_an_image_is_named(self, run: Run, here: FakeEngine, folder: Path) -> None:
        del here
        (folder / "unpacked").mkdir()
        outcome = run("push", "unpacked")
        assert outcome.code == 22
        assert "./unpacked" in outcome.err

    def test_a_layer_that_is_not_what_the_config_says(
        self, run: Run, store: Store, server: ScriptedServer, folder: Path
    ) -> None:
        del server
        forged = docker_archive([(APP, ("app:1",))]).replace(APP.layers[1][600:700], bytes(100))
        (folder / "forged.tar").write_bytes(forged)
        outcome = run("push", "forged.tar")
        assert outcome.code == 23
        assert APP.diff_ids[1] in outcome.err
        assert store.tags("app") == {}


class TestPipes:
    @pytest.mark.parametrize("kind", ["docker-archive", "oci"])
    def test_an_archive(self, store: Store, server: ScriptedServer, kind: str) -> None:
        content = docker_archive([(APP, ())]) if kind == "docker-archive" else tarred(layout(APP))
        done = spawn("push", "-", "--as", "app:1", input=content)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == f"{server.host}/app@{store.tags('app')['1']}\n"
        assert store.diff_ids("app", "1") == APP.diff_ids

    @pytest.mark.parametrize("content", [b"", b"text", docker_archive([(APP, ())])[:30_000]])
    def test_what_is_no_archive(self, store: Store, server: ScriptedServer, content: bytes) -> None:
        del server
        done = spawn("push", "-", "--as", "app:1", input=content)
        assert done.returncode == 23, done.stderr
        assert b"standard input" in done.stderr
        assert store.tags("app") == {}

    def test_it_has_to_be_named(self, server: ScriptedServer) -> None:
        done = spawn("push", "-", "-t", "1", input=docker_archive([(APP, ("app:1",))]))
        assert done.returncode == 2
        assert b"--as NAME[:TAG]" in done.stderr
        assert server.asked == []

    def test_a_terminal_is_none(self) -> None:
        with at_terminal("push", "-", "--as", "app:1") as (process, terminal):
            seen = plain(read_until(terminal))
            assert process.wait(SECONDS) == 2
        assert "docker save IMAGE | devreg push - --as NAME" in seen

    @pytest.mark.parametrize(("word", "code"), [("-", 2), ("saved.tar", 0)])
    def test_a_closed_stdin_is_none(self, server: ScriptedServer, folder: Path, word: str, code: int) -> None:
        saved(folder, (APP, ("app:1",)))
        command = ["bash", "-c", '"$@" <&-', "bash", *DEVREG, "push", word, "--as", "app:1"]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
        assert done.returncode == code, done.stderr
        assert server.asked or code


class TestInterrupted:
    """Ctrl-C while a layer goes up."""

    @pytest.fixture
    def big(self, folder: Path) -> Image:
        made = image("small", "big", size=3_000_000)
        saved(folder, (made, ("app:1",)))
        return made

    def test_it_ends_with_130_and_the_next_push_goes_on(self, serve: Serve, big: Image, run: Run) -> None:
        store = Store()
        server = serve(store)

        def interrupt(asked: Asked) -> None:
            if asked.method == "PATCH":
                store.before = lambda _asked: None
                process.send_signal(signal.SIGINT)

        store.before = interrupt
        with subprocess.Popen(
            [*DEVREG, "push", "saved.tar"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (130, b"")
        assert b"Traceback" not in err
        assert b"devreg: interrupted" in err
        assert store.manifests == {}
        before = len(server.asked)
        assert run("push", "saved.tar").code == 0
        assert sum(len(each.body) for each in server.asked[before:]) < 4_000_000  # of 6 MB
        assert store.diff_ids("app", "1") == big.diff_ids

    def test_it_does_not_wait_for_an_upload_that_hangs(self, serve: Serve, big: Image) -> None:
        del big
        store, free = Store(), Event()

        def hang(asked: Asked) -> None:
            if asked.method == "PATCH":
                store.before = lambda _asked: None
                process.send_signal(signal.SIGINT)
                free.wait(SECONDS)

        store.before = hang
        serve(store)
        try:
            with subprocess.Popen(
                [*DEVREG, "push", "saved.tar"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as process:
                _, err = process.communicate(timeout=SECONDS / 2)
        finally:
            free.set()
        assert process.returncode == 130
        assert b"Traceback" not in err


def test_help_fits_in_80_columns(run: Run) -> None:
    outcome = run("push", "--help")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
