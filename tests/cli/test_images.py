"""`devreg tag`, `devreg push`, `devreg pull`, with an engine that answers at a real socket."""

from __future__ import annotations

import pytest

from devreg.host import credentials
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from tests.cli import registry
from tests.cli.conftest import NOBODY, Run, Serve
from tests.unit.engine.fake import DIGEST, FakeEngine


@pytest.fixture(autouse=True)
def images(fake: FakeEngine) -> None:
    fake.images |= {"app:1": "sha256:1", "other:2": "sha256:2", "reg.example:5000/team/app:1": "sha256:1"}


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        (("app:1",), f"{NOBODY}/app:1"),
        (("app:1", "--registry", "reg:1"), "reg:1/app:1"),
        (("app:1", "team/tool:2"), f"{NOBODY}/team/tool:2"),
        (("reg.example:5000/team/app:1",), "reg.example:5000/team/app:1"),
    ],
)
def test_tag(run: Run, fake: FakeEngine, words: tuple[str, ...], reference: str) -> None:
    outcome = run("tag", *words)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{reference}\n", "")
    assert fake.images[reference] == "sha256:1"
    assert run("tag", *words, "--json").data == {"image": words[0], "reference": reference}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("app:1",), f"{NOBODY}/app"),
        (("app:1", "--to", "reg:1"), "reg:1/app"),
        (("app:1", "--to", "reg:1/ci/nightly"), "reg:1/ci/nightly/app"),
        (("reg.example:5000/team/app:1",), "reg.example:5000/team/app"),
        (("reg.example:5000/team/app:1", "--registry", "reg:1"), "reg.example:5000/team/app"),
        (("reg.example:5000/team/app:1", "--to", "reg:1"), "reg:1/team/app"),
    ],
)
def test_push_prints_the_digest_reference_and_nothing_else_on_stdout(
    run: Run, fake: FakeEngine, words: tuple[str, ...], name: str
) -> None:
    outcome = run("push", *words)
    assert (outcome.code, outcome.out) == (0, f"{name}@{DIGEST}\n")
    assert f"pushing {name}:1" in outcome.err
    assert f"{name}:1" in fake.images


def test_push_as_json(run: Run) -> None:
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


def test_push_of_several(run: Run) -> None:
    outcome = run("push", "app:1", "other:2")
    assert outcome.out == f"{NOBODY}/app@{DIGEST}\n{NOBODY}/other@{DIGEST}\n"


def test_push_of_several_of_which_one_is_missing_as_json(run: Run) -> None:
    outcome = run("push", "nope:1", "app:1", "--json")
    assert outcome.code == 1
    assert outcome.document["ok"] is False
    assert outcome.document["changed"] is True
    assert [each["image"] for each in outcome.data["pushed"]] == ["app:1"]
    assert [error["code"] for error in outcome.document["errors"]] == ["not-found"]


def test_a_bad_reference_among_several_pushes_none(run: Run, fake: FakeEngine) -> None:
    assert run("push", "app:1", "Other:2").code == 2
    assert fake.requests("POST", "/push$") == []


def test_a_digest_cannot_be_pushed(run: Run, fake: FakeEngine) -> None:
    outcome = run("push", f"app@{DIGEST}")
    assert outcome.code == 2
    assert fake.requests("POST", "/push$") == []


def test_push_takes_the_stored_credentials(run: Run, fake: FakeEngine) -> None:
    credentials.store(Address.parse(NOBODY), Credentials("alice", "s3cret"))
    run("push", "app:1")
    [request] = fake.requests("POST", "/push$")
    assert request.auth == {"username": "alice", "password": "s3cret"}


def test_stored_credentials_that_are_wrong_fail_before_the_engine_tries(
    run: Run, fake: FakeEngine, serve: Serve
) -> None:
    server = serve(registry.guarded)
    credentials.store(Address.parse(server.host), Credentials(registry.USER, "old"))
    outcome = run("push", "app:1")
    assert outcome.code == 21
    assert f"devreg login {server.host}" in outcome.err
    assert fake.requests("POST", "/push$") == []
    credentials.store(Address.parse(server.host), Credentials(registry.USER, registry.PASSWORD))
    assert run("push", "app:1").code == 0


@pytest.mark.parametrize("image", ["abcdef012345", "abcdef012345" + "0" * 52])
def test_an_image_id_is_no_name_to_push_under(run: Run, fake: FakeEngine, image: str) -> None:
    fake.images["app:3"] = f"sha256:abcdef012345{'0' * 52}"
    before = dict(fake.images)
    outcome = run("push", image)
    assert outcome.code == 2
    assert f"devreg tag {image} NAME:TAG" in outcome.err
    assert fake.images == before
    assert fake.requests("POST", "/push$") == []


@pytest.mark.parametrize(("names", "code"), [(("app:1", "nope:1"), 23), (("nope:1", "app:1"), 22)])
def test_several_that_all_fail_end_with_the_first_ones_code(
    run: Run, fake: FakeEngine, names: tuple[str, ...], code: int
) -> None:
    fake.push_lines = [{"error": "blob upload unknown"}]
    outcome = run("push", *names)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.count("  next: ") == 2
    as_json = run("push", *names, "--json")
    assert as_json.code == code
    assert (as_json.document["ok"], as_json.document["changed"], as_json.data) == (False, False, {"pushed": []})
    assert {error["code"] for error in as_json.document["errors"]} == {"upload-failed", "not-found"}


def test_a_push_without_a_digest_in_the_answer_is_a_failure(run: Run, fake: FakeEngine) -> None:
    fake.push_lines = [{"status": "Pushed", "id": "a" * 12}]
    outcome = run("push", "app:1")
    assert outcome.code == 23
    assert outcome.out == ""


def test_pull(run: Run, fake: FakeEngine) -> None:
    outcome = run("pull", "team/app:1")
    assert (outcome.code, outcome.out) == (0, f"{NOBODY}/team/app@{DIGEST}\n")
    assert f"{NOBODY}/team/app:1" in fake.images


def test_pull_as_json(run: Run, fake: FakeEngine) -> None:
    first = run("pull", "team/app:1", "--json")
    assert first.data == {"reference": f"{NOBODY}/team/app:1", "digest": DIGEST, "changed": True}
    fake.pull_lines[-1] = {"status": "Status: Image is up to date for team/app:1"}
    assert run("pull", "team/app:1", "--json").document["changed"] is False


def test_a_pull_that_fails(run: Run, fake: FakeEngine) -> None:
    fake.pull_lines = [{"error": "manifest unknown"}]
    outcome = run("pull", "team/app:1")
    assert outcome.code == 22
    assert outcome.out == ""
    assert f"devreg tags {NOBODY}/team/app" in outcome.err
