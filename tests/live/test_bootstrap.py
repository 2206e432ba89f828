"""`devreg bootstrap` with a real engine and a real registry: twice, looked at before and after, and with a fault."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, trusts
from tests.live.lab.devreg import Devreg, Done
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image

BEYOND = "registry.example:5000"
WITH_PASSWORD = {"REGISTRY_PASSWORD": PASSWORD}


@pytest.fixture
def image(server: Server, devreg: Devreg) -> str:
    """The name of an image that is in the registry, one for each test."""
    name = f"ahead/{uuid4().hex}:1.0"
    push(server, devreg, name, "first")
    return name


@pytest.fixture
def declared(server: Server, image: str, tmp_path: Path) -> Path:
    """A devreg.toml of everything that a CI worker needs."""
    file = tmp_path / "devreg.toml"
    file.write_text(f"""
registry = "{server.address}"
pull = ["{image}"]

[[registries]]
address = "{BEYOND}"
trust = "insecure"

[[registries]]
address = "{server.address}"
username = "{USER}"
password_env = "REGISTRY_PASSWORD"
""")
    return file


def push(server: Server, devreg: Devreg, name: str, seed: str) -> None:
    if not devreg.config_file.exists():
        server.log_in(devreg)
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/{name}", 2, 0.1, seed=seed)
    devreg.ok("push", f"{server.address}/{name}")


def states(done: Done) -> dict[str, str]:
    return {step["name"]: step["state"] for step in done.data["steps"]}


def files(*folders: Path) -> dict[Path, tuple[int, int]]:
    """Every file, with what changes when it is replaced or written."""
    found = [path for folder in folders for path in (folder.rglob("*") if folder.is_dir() else [folder])]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found if path.is_file()}


def test_twice_and_looked_at_before_and_after(
    declared: Path, root: Devreg, settings: Path, spare_engine: Engine, server: Server, image: str
) -> None:
    words = ("bootstrap", str(declared), "--json")
    names = ["default registry", f"trust {BEYOND}", f"login {server.address}", f"pull {server.address}/{image}"]
    before = files(root.folder, settings)
    look = root(*words, "--check", env=WITH_PASSWORD)
    assert (look.code, states(look)) == (1, dict.fromkeys(names, "changed")), look.said
    assert files(root.folder, settings) == before
    assert not trusts(spare_engine, BEYOND)

    first = root.ok(*words, env=WITH_PASSWORD)
    assert states(first) == dict.fromkeys(names, "changed")
    assert first.document["changed"] is True
    assert trusts(spare_engine, BEYOND)
    assert root.ok("status", "--json").data["registry"]["username"] == USER
    with client(spare_engine) as sdk:
        assert sdk.images.get(f"{server.address}/{image}")

    before = files(root.folder, settings)
    second = root.ok(*words, env=WITH_PASSWORD)
    assert states(second) == dict.fromkeys(names, "unchanged")
    assert second.document["changed"] is False
    assert states(root.ok(*words, "--check", env=WITH_PASSWORD)) == dict.fromkeys(names, "unchanged")
    assert files(root.folder, settings) == before


def test_a_newer_image_is_found_and_pulled(
    declared: Path, root: Devreg, settings: Path, server: Server, devreg: Devreg, image: str
) -> None:
    del settings
    root.ok("bootstrap", str(declared), env=WITH_PASSWORD)
    push(server, devreg, image, "second")
    pull = f"pull {server.address}/{image}"
    look = root.fails(1, "bootstrap", str(declared), "--check", env=WITH_PASSWORD)
    assert [line.split("\t")[0] for line in look.stdout.splitlines() if "\tchanged\t" in line] == [pull]
    assert states(root.ok("bootstrap", str(declared), "--json", env=WITH_PASSWORD))[pull] == "changed"
    root.ok("bootstrap", str(declared), "--check", env=WITH_PASSWORD)


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["run", "check"])
def test_a_wrong_password_fails_its_step_and_no_other(
    declared: Path, root: Devreg, settings: Path, server: Server, options: tuple[str, ...]
) -> None:
    del settings
    done = root.fails(1, "bootstrap", str(declared), *options, env={"REGISTRY_PASSWORD": "wrong-hunter2"})
    steps = {name: (state, detail) for name, state, detail in (line.split("\t") for line in done.stdout.splitlines())}
    state, reason = steps.pop(f"login {server.address}")
    assert state == "failed"
    assert server.address in reason
    assert {state for state, _ in steps.values()} == {"changed"}
    assert "hunter2" not in done.said
    assert not root.config_file.exists()


def test_a_password_from_a_file_and_from_standard_input(
    declared: Path, root: Devreg, settings: Path, server: Server
) -> None:
    del settings
    text = declared.read_text()
    (declared.parent / "secret").write_text(f"{PASSWORD}\n")
    declared.write_text(text.replace('password_env = "REGISTRY_PASSWORD"', 'password_file = "secret"'))
    login = f"login {server.address}"
    assert states(root.ok("bootstrap", str(declared), "--json"))[login] == "changed"
    declared.write_text(text.replace('password_env = "REGISTRY_PASSWORD"', "password_stdin = true"))
    assert states(root.ok("bootstrap", str(declared), "--json", input=f"{PASSWORD}\n"))[login] == "unchanged"
