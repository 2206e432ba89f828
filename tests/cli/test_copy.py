"""`devreg copy`, `devreg retag`: between registries that are odd, or lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from devreg.direct import referrers
from devreg.model.manifest import DOCKER_LIST, DOCKER_SCHEMA1_SIGNED, OCI_IMAGE, OCI_INDEX
from devreg.model.wire import digest_of
from tests.cli.conftest import Run, Serve
from tests.cli.registry import PASSWORD, USER, Store
from tests.http.server import Answer, Asked, Blobs, ScriptedServer, basic, error_answer, json_answer

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
Descriptor = dict[str, Any]


class Place(Store):
    """A registry that takes everything, and knows who refers to what. `lists`: it has a list of that."""

    def __init__(self, *, lists: bool = True) -> None:
        super().__init__()
        self.lists = lists

    def image(self, name: str = "app", *tags: str, layer: bytes = b"layer", **more: object) -> Descriptor:
        """Put an image of one layer there; its descriptor."""
        config = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": self.blob(name, CONFIG_TYPE, config),
            "layers": [self.blob(name, LAYER_TYPE, layer)],
            **more,
        }
        return self.put(name, OCI_IMAGE, manifest, *tags)

    def index(self, name: str, entries: list[Descriptor], *tags: str, media_type: str = OCI_INDEX) -> Descriptor:
        return self.put(name, media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}, *tags)

    def blob(self, name: str, media_type: str, content: bytes) -> Descriptor:
        self.repositories.setdefault(name, Blobs()).blobs[digest_of(content)] = content
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def put(self, name: str, media_type: str, manifest: object, *tags: str) -> Descriptor:
        body = json.dumps(manifest).encode()
        for each in (digest_of(body), *tags):
            self.manifests[name, each] = (body, media_type)
        return {"mediaType": media_type, "digest": digest_of(body), "size": len(body)}

    def _answer(self, asked: Asked) -> Answer:
        if "/referrers/" not in asked.path:
            return super()._answer(asked)
        name, _, digest = asked.path.removeprefix("/v2/").partition("/referrers/")
        if not self.lists:
            return error_answer(404, "UNKNOWN")
        found = {
            body: {"mediaType": media_type, "digest": digest_of(body), "size": len(body)}
            for (place, _), (body, media_type) in self.manifests.items()
            if place == name and (json.loads(body).get("subject") or {}).get("digest") == digest
        }
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(found.values())}
        return json_answer(index, Content_Type=OCI_INDEX)

    def _manifest(self, asked: Asked, repository: str, reference: str) -> Answer:
        if asked.method != "PUT":
            return super()._manifest(asked, repository, reference)
        digest = digest_of(asked.body)
        for name in (reference, digest):
            self.manifests[repository, name] = (asked.body, asked.headers["content-type"])
        return Answer(201, headers={"Docker-Content-Digest": digest})


class World:
    """Two registries."""

    def __init__(self, serve: Serve) -> None:
        self.one, self.two = Place(), Place()
        self.first, self.second = serve(self.one), serve(self.two)
        self.source, self.target = f"{self.first.host}/app", f"{self.second.host}/mirror"


@pytest.fixture
def world(serve: Serve) -> World:
    return World(serve)


def puts(server: ScriptedServer) -> list[str]:
    return [asked.path for asked in server.asked if asked.method == "PUT" and "/manifests/" in asked.path]


def test_an_index_in_an_index_with_what_is_had_from_urls_and_an_empty_blob(run: Run, world: World) -> None:
    foreign = {"mediaType": LAYER_TYPE, "digest": digest_of(b"x"), "size": 1, "urls": ["https://example.org/x"]}
    image = world.one.image(layer=b"")
    body = json.loads(world.one.manifests["app", image["digest"]][0])
    image = world.one.put("app", OCI_IMAGE, {**body, "layers": [*body["layers"], foreign]})
    inner = world.one.index("app", [image], media_type=DOCKER_LIST)
    outer = world.one.index("app", [inner], "1")
    outcome = run("copy", f"{world.source}:1", world.target)
    assert (outcome.code, outcome.out) == (0, f"{world.target}@{outer['digest']}\n")
    assert {name for _, name in world.two.manifests} == {"1", *(each["digest"] for each in (image, inner, outer))}
    assert b"" in world.two.repositories["mirror"].blobs.values()


def test_the_cache_of_a_build(run: Run, world: World) -> None:
    """BuildKit keeps it in an index that names layers, which are no manifests."""
    layer = world.one.blob("app", LAYER_TYPE, b"layer")
    settings = world.one.blob("app", "application/vnd.buildkit.cacheconfig.v0", b"{}")
    cache = world.one.index("app", [layer, settings], "cache")
    outcome = run("copy", f"{world.source}:cache", world.target)
    assert (outcome.code, outcome.out) == (0, f"{world.target}@{cache['digest']}\n")
    assert set(world.two.repositories["mirror"].blobs.values()) == {b"layer", b"{}"}


def test_a_copy_onto_itself_changes_nothing(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    world.one.image(subject=image)
    before = dict(world.one.manifests)
    outcome = run("copy", f"{world.source}:1", f"{world.source}:1", "--json")
    (done,) = outcome.data["copied"]
    assert (outcome.code, outcome.document["changed"], done["referrers"]) == (0, False, 1)
    assert (world.one.manifests, puts(world.first)) == (before, [])


def test_each_registry_gets_its_own_password(run: Run, serve: Serve) -> None:
    one, two = Place(), Place()
    one.guards = ("GET",)
    source, target = serve(one), serve(two)
    one.image("app", "1")
    assert run("login", source.host, "-u", USER, "--password-stdin", input=PASSWORD).code == 0
    assert run("copy", f"{source.host}/app:1", f"{target.host}/app").code == 0
    assert {asked.authorization for asked in source.asked} <= {None, basic(USER, PASSWORD)}
    assert {asked.authorization for asked in target.asked} == {None}


def test_a_mount_that_is_refused_sends(run: Run, world: World) -> None:
    world.one.image("app", "1")
    world.one.before = lambda asked: error_answer(403, "DENIED") if "mount" in asked.query else None
    done = run("copy", f"{world.source}:1", f"{world.first.host}/other", "--json").data["copied"][0]
    assert done["layers"]["sent"] == 1


@pytest.mark.parametrize("words", [("copy", "DST"), ("retag", "2")])
def test_a_manifest_of_before_2016_is_refused(run: Run, world: World, words: tuple[str, str]) -> None:
    manifest = {"schemaVersion": 1, "name": "app", "fsLayers": [], "history": [], "signatures": []}
    world.one.put("app", DOCKER_SCHEMA1_SIGNED, manifest, "old")
    command, target = words
    outcome = run(command, f"{world.source}:old", target.replace("DST", world.target))
    assert outcome.code == 23
    assert "schema 1" in outcome.err
    assert puts(world.first) == puts(world.second) == []


def test_a_manifest_that_makes_no_sense_is_no_archive(run: Run, world: World) -> None:
    image = world.one.image("app")
    world.one.index("app", [{**image, "size": image["size"] + 1}], "1")
    outcome = run("copy", f"{world.source}:1", world.target)
    assert outcome.code == 20
    assert image["digest"] in outcome.err
    assert "archive" not in outcome.err


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_may_not_list_referrers_finds_them_by_their_tags(run: Run, world: World, status: int) -> None:
    image = world.one.image("app", "1")
    tag = image["digest"].replace(":", "-")
    world.one.image("app", f"{tag}.sig", layer=b"signature")
    world.one.before = lambda asked: error_answer(status, "X") if "/referrers/" in asked.path else None
    outcome = run("copy", f"{world.source}:1", world.target)
    assert outcome.code == 0
    assert "what refers to it: 1" in outcome.err
    assert set(world.two.tags("mirror")) == {"1", f"{tag}.sig"}


def test_a_repository_without_tags(run: Run, world: World) -> None:
    image = world.one.image("app")
    unknown = error_answer(404, "NAME_UNKNOWN")  # as registry 2.8 answers for one
    world.one.before = lambda asked: unknown if asked.path.endswith("/tags/list") else None
    outcome = run("copy", f"{world.source}@{image['digest']}", world.target)
    assert (outcome.code, outcome.out) == (0, f"{world.target}@{image['digest']}\n")


def test_signatures_by_tag_go_along_where_there_is_a_list_too(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    tag = image["digest"].replace(":", "-")
    world.one.image("app", f"{tag}.sig", layer=b"signature")
    signed = world.one.image("app", subject=image, layer=b"sbom")
    done = run("copy", f"{world.source}:1", world.target, "--json").data["copied"][0]
    assert done["referrers"] == 2
    assert set(world.two.tags("mirror")) == {"1", f"{tag}.sig"}
    assert ("mirror", signed["digest"]) in world.two.manifests


def test_referrers_that_cannot_be_read_do_not_hide_that_the_image_was_copied(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    world.one.before = lambda asked: error_answer(500, "X") if "/referrers/" in asked.path else None
    outcome = run("copy", f"{world.source}:1", world.target, "--json")
    assert (outcome.code, outcome.document["ok"], outcome.document["changed"]) == (1, False, True)
    assert [each["digest"] for each in outcome.data["copied"]] == [image["digest"]]
    assert "--no-referrers" in outcome.document["errors"][0]["hint"]
    assert world.two.tags("mirror") == {"1": image["digest"]}


def test_too_many_referrers_are_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referrers, "_MOST", 3)
    image = world.one.image("app", "1")
    for number in range(5):
        world.one.image(subject=image, layer=bytes([number]))
    outcome = run("copy", f"{world.source}:1", world.target)
    assert outcome.code == 1
    assert "more than 3" in outcome.err
    assert len(puts(world.second)) == 1 + 3


def test_what_refers_to_the_same_in_the_target_stays(run: Run, world: World) -> None:
    world.one.lists = world.two.lists = False
    image = world.one.image("app", "1")
    tag = image["digest"].replace(":", "-")
    theirs = world.one.image(subject=image, layer=b"theirs")
    ours = world.two.image("mirror", subject=image, layer=b"ours")
    world.one.index("app", [theirs], tag)
    world.two.index("mirror", [ours], tag)
    assert run("copy", f"{world.source}:1", world.target).code == 0
    listed = json.loads(world.two.manifests["mirror", tag][0])["manifests"]
    assert [each["digest"] for each in listed] == [ours["digest"], theirs["digest"]]
    assert ("mirror", theirs["digest"]) in world.two.manifests


@pytest.mark.parametrize("lists", [True, False])
def test_a_glob_leaves_signatures_to_what_they_refer_to(run: Run, world: World, lists: bool) -> None:
    """Else a list of referrers would replace the one that it was joined with just before."""
    world.one.lists = world.two.lists = lists
    image = world.one.image("app", "1")
    tag = image["digest"].replace(":", "-")
    theirs = world.one.image(subject=image, layer=b"theirs")
    world.one.image("app", f"{tag}.sig", layer=b"signature")
    ours = world.two.image("mirror", subject=image, layer=b"ours")
    world.one.index("app", [theirs], tag)
    world.two.index("mirror", [ours], tag)
    outcome = run("copy", f"{world.source}:*", world.target)
    assert (outcome.code, outcome.out) == (0, f"{world.target}@{image['digest']}\n")
    listed = json.loads(world.two.manifests["mirror", tag][0])["manifests"]
    assert [each["digest"] for each in listed] == [ours["digest"], theirs["digest"]]
    assert run("copy", f"{world.source}:*", f"{world.second.host}/bare", "--no-referrers").code == 0
    assert set(world.two.tags("bare")) == {"1"}
    assert run("copy", f"{world.source}:sha256-*", world.target).code == 22


def test_the_tags_of_a_source_are_listed_no_oftener_for_more_of_them(run: Run, world: World) -> None:
    """Once for the glob and once for what refers to them: each list has all tags."""
    for number in range(5):
        world.one.image("app", str(number), layer=bytes([number]))
    assert run("copy", f"{world.source}:*", world.target).code == 0
    assert len([asked for asked in world.first.asked if asked.path.endswith("/tags/list")]) == 2


def test_who_may_not_list_tags_copies_the_image(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    world.one.before = lambda asked: error_answer(403, "DENIED") if asked.path.endswith("/tags/list") else None
    outcome = run("copy", f"{world.source}:1", world.target, "--json")
    assert (outcome.code, [each["digest"] for each in outcome.data["copied"]]) == (1, [image["digest"]])
    assert "--no-referrers" in outcome.document["errors"][0]["hint"]


@pytest.mark.parametrize("lists", [True, False])
def test_how_many_refer_to_it(run: Run, world: World, lists: bool) -> None:
    """Two that a list names, and a signature of one of them. The list itself is none."""
    world.one.lists = lists
    image = world.one.image("app", "1")
    tag = image["digest"].replace(":", "-")
    signed, other = (world.one.image(subject=image, layer=layer) for layer in (b"signed", b"other"))
    world.one.index("app", [signed, other], tag)
    world.one.image("app", f"{signed['digest'].replace(':', '-')}.sig", layer=b"signature")
    assert run("copy", f"{world.source}:1", world.target, "--json").data["copied"][0]["referrers"] == 3


def test_no_clobber_is_for_signatures_too(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    tag = f"{image['digest'].replace(':', '-')}.sig"
    world.one.image("app", tag, layer=b"theirs")
    ours = world.two.image("mirror", tag, layer=b"ours")
    outcome = run("copy", f"{world.source}:1", world.target, "--no-clobber")
    assert outcome.code == 1
    assert tag in outcome.err
    assert world.two.tags("mirror") == {"1": image["digest"], tag: ours["digest"]}
    assert run("copy", f"{world.source}:1", world.target).code == 0
    assert world.two.tags("mirror")[tag] != ours["digest"]


def test_a_platform_is_the_one_that_inspect_shows(run: Run, world: World) -> None:
    images = [world.one.image(layer=bytes([number])) for number in range(3)]
    platforms = [{"os": "windows", "architecture": "amd64"}] * 2 + [{"os": "linux", "architecture": "arm64"}]
    entries = [{**image, "platform": platform} for image, platform in zip(images, platforms, strict=True)]
    world.one.index("app", entries, "1")
    for platform, image in (("windows/amd64", images[0]), ("linux/arm64/v8", images[2])):
        outcome = run("copy", f"{world.source}:1", world.target, "--platform", platform)
        assert outcome.out.strip().endswith(image["digest"])
    assert run("copy", f"{world.source}:1", world.target, "--platform", "linux/s390x").code == 22


def test_another_kind_of_digest(run: Run, world: World) -> None:
    image = world.one.image("app")
    body, media_type = world.one.manifests["app", image["digest"]]
    digest = f"sha512:{hashlib.sha512(body).hexdigest()}"

    def by_that_kind(asked: Asked) -> Answer | None:
        if not asked.path.endswith(digest) or "/referrers/" in asked.path:
            return None
        return Answer(201 if asked.method == "PUT" else 200, body, {"Docker-Content-Digest": digest})

    world.one.before = by_that_kind
    world.two.before = lambda asked: by_that_kind(asked) if asked.method == "PUT" else None
    outcome = run("copy", f"{world.source}@{digest}", world.target)
    assert (outcome.code, outcome.out) == (0, f"{world.target}@{digest}\n")
    assert media_type == OCI_IMAGE


@pytest.mark.parametrize("tells", ["sha256", "sha512"])
def test_another_kind_of_digest_is_no_other_image(run: Run, world: World, tells: str) -> None:
    """`tells`: the kind by which the target's registry tells what a tag stands for."""
    image = world.one.image("app", "1")
    body, media_type = world.one.manifests["app", image["digest"]]
    digest = f"sha512:{hashlib.sha512(body).hexdigest()}"
    world.one.manifests["app", digest] = body, media_type

    told = {"Docker-Content-Digest": digest, "Content-Type": media_type}
    world.one.before = lambda asked: Answer(200, body, told) if asked.path.endswith(f"/manifests/{digest}") else None

    def tell(asked: Asked) -> Answer | None:
        answer = world.two._answer(asked) if asked.path == "/v2/mirror/manifests/1" else Answer(404)
        return (
            replace(answer, headers={**answer.headers, **told}) if answer.status < 300 and tells == "sha512" else None
        )

    world.two.before = tell
    sources = (f"{world.source}:1@{digest}", f"{world.source}:1")
    runs = [run("copy", each, world.target, "--json", *no) for no in ([], ["--no-clobber"]) for each in sources]
    assert [(each.code, each.document["changed"]) for each in runs] == [(0, True), (0, False), (0, False), (0, False)]
    assert puts(world.second) == ["/v2/mirror/manifests/1"]


def test_a_tag_with_a_digest_stays_that_tag(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    assert run("copy", f"{world.source}:1@{image['digest']}", world.target).code == 0
    assert world.two.tags("mirror") == {"1": image["digest"]}


@pytest.mark.parametrize("name", ["..", "../../other/manifests/x", "a b", "\x1b[31mred", f"sha256:{0:064x}"])
def test_tags_that_are_none_hide_no_other(run: Run, world: World, name: str) -> None:
    image = world.one.image("app", "1")
    listed = json_answer({"tags": [name, "1"]})
    world.one.before = lambda asked: listed if asked.path.endswith("/tags/list") else None
    outcome = run("copy", f"{world.source}:*", world.target)
    assert outcome.code == 1
    assert "which is none" in outcome.err
    assert "\x1b" not in outcome.err
    assert world.two.tags("mirror") == {"1": image["digest"]}
    assert puts(world.second) == ["/v2/mirror/manifests/1"]
    named = {asked.path.partition("/manifests/")[2] for asked in world.first.asked if "/manifests/" in asked.path}
    assert named == {"1"}, "the registry is not asked for what is no tag"


def test_of_many_that_fail_a_few_are_named(run: Run, world: World) -> None:
    world.one.image("app", "1")
    for number in range(10, 17):
        world.one.index("app", [{**world.one.image("other"), "digest": f"sha256:{number:064x}"}], f"{number}")
    outcome = run("copy", f"{world.source}:*", world.target)
    assert outcome.code == 1
    assert f"{world.source}:14 and 2 more; " in outcome.err


@pytest.mark.parametrize("words", [("copy", "DST"), ("retag", "2"), ("inspect",)])
def test_a_digest_that_only_the_cache_has_is_not_there(run: Run, world: World, words: tuple[str, ...]) -> None:
    image = world.one.image("app", "1")
    assert run("inspect", f"{world.source}:1").code == 0
    command, *rest = words
    name = f"{world.first.host}/other@{image['digest']}"
    outcome = run(command, name, *(each.replace("DST", world.target) for each in rest))
    assert (outcome.code, outcome.out) == (22, "")


def test_what_was_retagged_before_a_failure_is_told(run: Run, world: World) -> None:
    image = world.one.image("app", "1")
    world.one.image("app", "3", layer=b"other")
    outcome = run("retag", f"{world.source}:1", "2", "3", "--no-clobber", "--json")
    assert (outcome.code, outcome.document["ok"], outcome.document["changed"]) == (1, False, True)
    assert [each["reference"] for each in outcome.data["copied"]] == [f"{world.source}:2"]
    assert outcome.document["errors"][0]["code"] == "refused-overwrite"
    assert world.one.tags("app")["2"] == image["digest"]
