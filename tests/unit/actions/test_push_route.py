"""Which way an image of the engine goes, and what happens on the direct one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from devreg.actions import push_route
from devreg.actions.naming import Target
from devreg.actions.push_route import Planned, Via, plan
from devreg.direct import engine_image
from devreg.direct.manifests import Raised
from devreg.direct.placer import Placer
from devreg.engine import images
from devreg.engine.client import Engine, connect
from devreg.host import layer_store
from devreg.host.layer_store import StoreChanged
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.content import Spent
from devreg.model.errors import (
    ArchiveUnusable,
    DevregError,
    NotAuthorized,
    RefusedOverwrite,
    RegistryUnreachable,
    UploadFailed,
)
from devreg.model.events import silent
from devreg.model.manifest import Descriptor
from devreg.registry.client import Registry
from tests.unit.direct.world import FakeRegistry
from tests.unit.engine.fake import FakeEngine
from tests.unit.engine.stored import image

APP, OTHER = image("base", "app"), image("base", "other")
HUB = Target(Address("docker.io"), "me/app", ("1",))
TARGET = Target(Address("registry.example", 5000), "team/app", ("1",))
RAISED = Raised(Descriptor("x", "sha256:1", 2), b"{}")
UNAUTHORIZED = NotAuthorized("401", hint="log in")
SILENT = RegistryUnreachable("nobody answers", hint="wait")


@dataclass
class Reached(FakeRegistry):
    """One that tells how it asks for credentials."""

    scheme: str = "https"
    challenges: bool = True
    asks: bool = False

    def prove_write(self, _repository: str) -> bool:
        return self.asks


class Case:
    """An engine with an image, and a registry."""

    def __init__(self, fake: FakeEngine, cache: PushCache) -> None:
        self.fake = fake
        self.registry = Reached()
        self._cache = cache
        self.placer = self.open_anew()
        self.opening: DevregError | None = None
        self.opened = 0
        fake.add("app:1", APP)

    @property
    def engine(self) -> Engine:
        return connect()

    def open_anew(self) -> Placer:
        """As another run of devreg opens it."""
        self.placer = Placer(cast(Registry, self.registry), TARGET.registry, TARGET.repository, self._cache, silent)
        return self.placer

    def open(self) -> Placer:
        self.opened += 1
        if self.opening:
            raise self.opening
        return self.placer

    def plan(self, via: Via = "auto", *, target: Target = TARGET, no_clobber: bool = False) -> Planned:
        engine = self.engine
        return plan(engine, images.local(engine, "app:1"), target, self.open, via, no_clobber=no_clobber)

    def push(self, *, tag: str = "1") -> Raised:
        """Put the image up, and name it."""
        planned = self.plan("direct")
        assert planned.raise_by
        raised = planned.raise_by(self.placer)
        self.registry.put_manifest(TARGET.repository, tag, raised.body, raised.descriptor.media_type)
        return raised


@pytest.fixture
def case(fake: FakeEngine, tmp_path: Path) -> Iterator[Case]:
    with PushCache(tmp_path) as cache:
        yield Case(fake, cache)


class TestTheWay:
    def test_the_engine_where_it_is_asked_for(self, case: Case) -> None:
        case.opening = SILENT
        assert case.plan("engine") == Planned("engine", "as asked for")
        assert case.opened == 0

    def test_directly_where_that_is_asked_for(self, case: Case) -> None:
        planned = case.plan("direct")
        assert (planned.route, planned.reason) == ("direct", "as asked for")

    @pytest.mark.parametrize("error", [SILENT, UNAUTHORIZED])
    def test_directly_and_nothing_else(self, case: Case, error: DevregError) -> None:
        case.opening = error
        with pytest.raises(type(error)):
            case.plan("direct")

    def test_the_engine_where_devreg_does_not_get_through(self, case: Case) -> None:
        case.opening = SILENT
        assert case.plan() == Planned("engine", "devreg does not get as far itself (nobody answers)")

    def test_no_credentials_do_for_neither(self, case: Case) -> None:
        case.opening = UNAUTHORIZED
        with pytest.raises(NotAuthorized):
            case.plan()

    def test_podman_may_have_credentials_of_its_own(self, case: Case) -> None:
        case.fake.version["Components"] = [{"Name": "Podman Engine"}]
        case.opening = UNAUTHORIZED
        assert case.plan().route == "engine"

    def test_the_hub_is_the_engines(self, case: Case) -> None:
        assert case.plan(target=HUB) == Planned("engine", "it is for docker.io")
        assert case.opened == 0

    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    @pytest.mark.parametrize("target", [HUB, TARGET])
    def test_tags_that_cannot_be_looked_at_are_not_moved(self, case: Case, via: Via, target: Target) -> None:
        case.opening = SILENT
        with pytest.raises(RegistryUnreachable):
            case.plan(via, target=target, no_clobber=True)

    @pytest.mark.parametrize("via", ["auto", "engine", "direct"])
    def test_tags_of_another_image_are_not_moved(self, case: Case, via: Via) -> None:
        case.push(tag="1")
        case.fake.add("app:1", OTHER)
        with pytest.raises(RefusedOverwrite, match="team/app:1"):
            case.plan(via, no_clobber=True)
        assert case.plan(via, target=replace(TARGET, tags=("2",)), no_clobber=True)

    @pytest.mark.parametrize("via", ["auto", "direct"])
    def test_what_is_there_is_not_pushed(self, case: Case, via: Via) -> None:
        pushed = case.push()
        for target in (TARGET, replace(TARGET, tags=("2",))):
            planned = case.plan(via, target=target)
            assert planned.route == "direct"
            assert "there already" in planned.reason
            assert planned.raise_by
            assert planned.raise_by(case.placer) == pushed
        assert len(case.fake.requests("GET", "/get$")) == 1

    def test_an_image_that_lost_a_layer_is_not_there(self, case: Case) -> None:
        case.push()
        case.registry.blobs[TARGET.repository].popitem()
        case.open_anew()
        assert "there already" not in case.plan().reason

    def test_containerds_store_pushes_what_it_has_compressed(self, case: Case) -> None:
        case.fake.keeps_in_containerd()
        case.fake.add("app:1", APP)
        planned = case.plan()
        assert planned.route == "engine"
        assert planned.reason == "2 of 2 layers (less than 1 MB) are missing, and the engine has them compressed"
        assert planned.raise_by  # for when it does not get through


class TestObstacles:
    @pytest.mark.parametrize(
        ("scheme", "insecure", "host", "expected"),
        [
            ("http", False, "registry.example", True),
            ("http", True, "registry.example", False),
            ("https", False, "registry.example", False),
            ("http", False, "127.0.0.1", False),
        ],
    )
    def test_plain_http_that_the_engine_does_not_trust(
        self, case: Case, scheme: str, insecure: bool, host: str, expected: bool
    ) -> None:
        case.registry.scheme = scheme
        if insecure:
            case.fake.info["RegistryConfig"]["IndexConfigs"] = {"registry.example:5000": {"Secure": False}}
        reason = case.plan(target=replace(TARGET, registry=Address(host, 5000))).reason
        assert (reason == f"the engine does not trust {host}:5000") is expected

    @pytest.mark.parametrize(
        ("challenges", "asks", "containerd", "expected"),
        [
            (False, True, False, True),
            (True, True, False, False),
            (False, False, False, False),
            (False, True, True, False),
        ],
    )
    def test_a_challenge_that_comes_with_the_first_write(
        self, case: Case, challenges: bool, asks: bool, containerd: bool, expected: bool
    ) -> None:
        case.registry.challenges, case.registry.asks = challenges, asks
        if containerd:
            case.fake.keeps_in_containerd()
            case.fake.add("app:1", APP)
        assert ("would send no password" in case.plan().reason) is expected


class TestTheDirectWay:
    @pytest.fixture
    def stored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the engine keeps its layers, this user may read."""
        monkeypatch.setattr(layer_store, "find", lambda *_: object())

    @pytest.mark.parametrize("error", [StoreChanged("gone"), ArchiveUnusable("not what its diffID says", hint="x")])
    @pytest.mark.usefixtures("stored")
    def test_layers_on_disk_that_are_not_right_are_exported(
        self, case: Case, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def fail(*_: object) -> Raised:
            raise error

        monkeypatch.setattr(engine_image, "from_store", fail)
        case.push()
        assert len(case.fake.requests("GET", "/get$")) == 1

    @pytest.mark.usefixtures("stored")
    def test_layers_on_disk_are_not_exported(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine_image, "from_store", lambda *_: RAISED)
        assert case.push() == RAISED
        assert case.fake.requests("GET", "/get$") == []

    @pytest.mark.parametrize(("containerd", "way"), [(False, "from_layers"), (True, "from_blobs")])
    def test_an_upload_that_needs_the_export_from_its_start_gets_it(
        self, case: Case, monkeypatch: pytest.MonkeyPatch, containerd: bool, way: str
    ) -> None:
        if containerd:
            case.fake.keeps_in_containerd()
            case.fake.add("app:1", APP)
        tries = iter([Spent("gone"), Spent("gone"), None])

        def break_twice(*_: object) -> Raised:
            if error := next(tries):
                raise error
            return RAISED

        monkeypatch.setattr(engine_image, way, break_twice)
        assert case.push() == RAISED

    def test_but_not_for_ever(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        tried = []

        def fail(*_: object) -> Raised:
            tried.append(1)
            raise Spent("gone")

        monkeypatch.setattr(engine_image, "from_layers", fail)
        with pytest.raises(UploadFailed, match="4 exports were not enough"):
            case.push()
        assert len(tried) == push_route._EXPORTS
