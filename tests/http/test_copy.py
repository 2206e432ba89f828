"""Copying between registries over lines that break: all of an image arrives, or nothing has its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.direct.copied import raise_copy
from devreg.direct.manifests import name
from devreg.direct.placer import Placer
from devreg.host.content_cache import ContentCache
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, RegistryUnreachable, UploadFailed
from devreg.model.results import Layers
from devreg.model.wire import digest_of
from devreg.remote.contents import Contents
from tests.cli.registry import PASSWORD, USER
from tests.cli.test_copy import Place, puts
from tests.http.server import Answer, Asked, Open, ScriptedServer, Serve, basic, error_answer, json_answer

LAYER = bytes(range(256)) * 12_000  # 3 MB: it goes in a stream
SMALL = b"small"

Copy = Callable[..., tuple[Layers, int]]


@pytest.fixture
def one() -> Place:
    return Place()


@pytest.fixture
def two() -> Place:
    return Place()


@pytest.fixture
def copy(opened: Open, tmp_path: Path) -> Copy:
    """Copy `app:1` of a server to `mirror:1` of another, or of the same one; what was counted, and the bytes sent.

    Each call is a process of its own, of one user: the caches are shared.
    """

    def copy(
        source: ScriptedServer, target: ScriptedServer, credentials: Credentials | None = None
    ) -> tuple[Layers, int]:
        registry = opened(source, credentials=credentials)
        with ContentCache(tmp_path) as contents, PushCache(tmp_path) as pushes:
            to = registry if source is target else opened(target)
            placer = Placer(to, Address.parse(target.host), "mirror", pushes, lambda _event: None)
            name(placer, raise_copy(Contents(registry, contents), "app", placer, "1"), "1")
            return placer.take_counts()

    return copy


def is_layer(asked: Asked, content: bytes = LAYER) -> bool:
    return asked.method == "GET" and asked.path.endswith(f"/blobs/{digest_of(content)}")


def test_a_source_that_breaks_off_goes_on_where_it_was(serve: Serve, copy: Copy, one: Place, two: Place) -> None:
    image, cuts, ranges = one.image("app", "1", layer=LAYER), [1_000_000, 500_000], list[str | None]()

    def breaks(asked: Asked) -> Answer | None:
        if not is_layer(asked):
            return None
        told = asked.headers.get("range")
        ranges.append(told)
        start = int(told[6:-1]) if told else 0
        return Answer(206 if start else 200, LAYER[start:], cut=cuts.pop(0) if cuts else None)

    one.before = breaks
    layers, sent = copy(serve(one), serve(two))
    assert ranges == [None, "bytes=1000000-", "bytes=1500000-"]
    assert two.repositories["mirror"].blobs[digest_of(LAYER)] == LAYER
    assert (layers, sent > len(LAYER)) == (Layers(sent=1), True)
    assert two.tags("mirror") == {"1": image["digest"]}


def test_a_target_that_breaks_off_gets_the_rest(serve: Serve, copy: Copy, one: Place, two: Place) -> None:
    image = one.image("app", "1", layer=LAYER)
    source, target, broken = serve(one), serve(two), list[Asked]()
    asked_for = list[str | None]()
    one.before = lambda asked: asked_for.append(asked.headers.get("range")) if is_layer(asked) else None

    def breaks(asked: Asked) -> Answer | None:
        if asked.method != "PATCH" or broken:
            return None
        broken.append(asked)
        two.repositories["mirror"].uploads[asked.path.rpartition("/")[2]] += asked.body[:1_000_000]
        return Answer(reset=True)

    two.before = breaks
    copy(source, target)
    assert two.repositories["mirror"].blobs[digest_of(LAYER)] == LAYER
    assert asked_for == [None, "bytes=1000000-"]
    assert two.tags("mirror") == {"1": image["digest"]}


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT"])
def test_a_fault_of_the_target_that_passes(serve: Serve, copy: Copy, one: Place, two: Place, method: str) -> None:
    image, faults = one.image("app", "1", layer=LAYER), [503, 500, 429]
    two.before = lambda asked: Answer(faults.pop()) if asked.method == method and faults else None
    copy(serve(one), serve(two))
    assert faults == []
    assert two.tags("mirror") == {"1": image["digest"]}


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_fault_of_the_target_that_stays(serve: Serve, copy: Copy, one: Place, two: Place, method: str) -> None:
    one.image("app", "1", layer=LAYER)
    two.before = lambda asked: error_answer(500, "UNKNOWN") if asked.method == method else None
    with pytest.raises(UploadFailed, match="500"):
        copy(serve(one), serve(two))
    assert two.manifests == {}


@pytest.mark.parametrize("content", [LAYER, SMALL], ids=["streamed", "at once"])
@pytest.mark.parametrize("lie", [b"x", b""], ids=["other", "shorter"])
def test_a_source_that_lies_leaves_nothing(
    serve: Serve, copy: Copy, one: Place, two: Place, content: bytes, lie: bytes
) -> None:
    """Also in a registry that takes whatever it gets."""
    image = one.image("app", "1", layer=content)
    one.before = lambda asked: Answer(200, content[:-1] + lie) if is_layer(asked, content) else None
    two.before = lambda asked: Answer(201) if asked.method == "PUT" and "/blobs/" in asked.path else None
    target = serve(two)
    with pytest.raises(RegistryUnreachable, match=r"is not what|ends after"):
        copy(serve(one), target)
    assert digest_of(content) not in {each for asked in target.asked for each in asked.query.get("digest", [])}
    assert (puts(target), image["digest"] in one.tags("app").values()) == ([], True)


def test_a_manifest_that_is_not_what_an_index_says(serve: Serve, copy: Copy, one: Place, two: Place) -> None:
    image = one.image("app")
    one.index("app", [image], "1")
    body, media_type = one.manifests["app", image["digest"]]
    told = {"Content-Type": media_type, "Docker-Content-Digest": image["digest"]}
    one.before = lambda asked: Answer(200, body[:-1] + b" }", told) if asked.path.endswith(image["digest"]) else None
    target = serve(two)
    with pytest.raises(RegistryUnreachable, match="is not what"):
        copy(serve(one), target)
    assert puts(target) == []


def test_what_the_source_keeps_elsewhere_is_had_without_the_password(
    serve: Serve, copy: Copy, one: Place, two: Place
) -> None:
    one.guards = ("GET", "HEAD")
    image = one.image("app", "1", layer=LAYER)
    storage = serve(lambda asked: Answer(200, one.repositories["app"].blobs[asked.path.removeprefix("/")]), bare=True)

    def elsewhere(asked: Asked) -> Answer | None:
        where = f"http://localhost:{storage.port}/{asked.path.rpartition('/')[2]}"
        return Answer(307, headers={"Location": where}) if "/blobs/" in asked.path else None

    one.before = elsewhere
    source, target = serve(one), serve(two)
    copy(source, target, Credentials(USER, PASSWORD))
    assert two.tags("mirror") == {"1": image["digest"]}
    assert basic(USER, PASSWORD) in {asked.authorization for asked in source.asked}
    assert {asked.authorization for asked in (*storage.asked, *target.asked)} == {None}
    assert storage.asked


def test_a_mount_gets_a_token_for_both_repositories(serve: Serve, copy: Copy, one: Place) -> None:
    """As distribution asks for it: the scope of a mount names the repository that it is from, too."""
    image = one.image("app", "1")
    granted = list[list[str]]()

    def tokens(asked: Asked) -> Answer | None:
        if asked.path == "/token":
            granted.append(sorted(asked.query["scope"]))
            return json_answer({"token": " ".join(granted[-1]).replace(" ", "+")})
        place = asked.path.removeprefix("/v2/").partition("/")[0]
        wanted = [f"repository:{place}:{'pull' if asked.method in ('GET', 'HEAD') else 'pull,push'}"]
        wanted += [f"repository:{of}:pull" for of in asked.query.get("from", [])]
        token = (asked.authorization or "").removeprefix("Bearer ").split("+")
        if set(wanted) <= set(token):
            return None
        realm = f'Bearer realm="http://{asked.headers["host"]}/token",service="r",scope="{" ".join(wanted)}"'
        return error_answer(401, "UNAUTHORIZED", WWW_Authenticate=realm)

    def script(asked: Asked) -> Answer:
        return one(Asked("GET", "/v2/", {}, b"")) if asked.path == "/v2/" else tokens(asked) or one(asked)

    server = serve(script, bare=True)
    layers, sent = copy(server, server)
    assert (layers, sent) == (Layers(mounted=1), 0)
    assert ["repository:app:pull", "repository:mirror:pull,push"] in granted
    assert one.tags("mirror") == {"1": image["digest"]}


def test_an_index_comes_after_all_that_it_names(serve: Serve, copy: Copy, one: Place, two: Place) -> None:
    images = [one.image(layer=bytes([number])) for number in range(3)]
    one.index("app", images, "1")
    target = serve(two)
    copy(serve(one), target)
    assert puts(target) == [f"/v2/mirror/manifests/{each}" for each in (*(each["digest"] for each in images), "1")]
    stored = [at for at, asked in enumerate(target.asked) if asked.method == "PUT" and "/blobs/" in asked.path]
    assert max(stored) < min(at for at, asked in enumerate(target.asked) if "/manifests/" in asked.path)


def test_what_has_arrived_is_not_sent_again(serve: Serve, copy: Copy, one: Place, two: Place) -> None:
    images = [one.image(layer=bytes([number])) for number in range(3)]
    index = one.index("app", images, "1")
    refused = error_answer(400, "MANIFEST_INVALID")
    two.before = lambda asked: refused if asked.path.endswith(f"/manifests/{images[1]['digest']}") else None
    with pytest.raises(DevregError):
        copy(serve(one), serve(two))
    assert set(two.manifests) == {("mirror", images[0]["digest"])}
    two.before = lambda _asked: None
    assert copy(serve(one), serve(two)) == (Layers(existing=3), 0)
    assert two.tags("mirror") == {"1": index["digest"]}
