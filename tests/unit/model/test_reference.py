from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.reference import Destination, Reference, checked_repository, checked_tag, split_glob

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
REG = Address("reg.example", 5000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ubuntu", Reference("ubuntu")),
        ("ubuntu:16.04", Reference("ubuntu", tag="16.04")),
        ("library/ubuntu", Reference("library/ubuntu")),
        ("team/app", Reference("team/app")),
        ("localhost/app", Reference("app", Address("localhost"))),
        ("reg.example/app", Reference("app", Address("reg.example"))),
        ("reg:5000/app:1", Reference("app", Address("reg", 5000), "1")),
        ("[::1]:5000/team/app", Reference("team/app", Address("::1", 5000))),
        ("127.0.0.1:5000/a/b/c:v1.0-rc.1", Reference("a/b/c", Address("127.0.0.1", 5000), "v1.0-rc.1")),
        (f"app@{DIGEST}", Reference("app", digest=DIGEST)),
        (f"reg:5000/app:1@{DIGEST}", Reference("app", Address("reg", 5000), "1", DIGEST)),
        ("f0/a__b.c-d--e", Reference("f0/a__b.c-d--e")),
        ("app:5000", Reference("app", tag="5000")),
        ("app:_T", Reference("app", tag="_T")),
        ("app:" + "t" * 128, Reference("app", tag="t" * 128)),
    ],
)
def test_what_is_a_reference(text: str, expected: Reference) -> None:
    assert Reference.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("docker.io/alpine:3", "docker.io/library/alpine:3"),
        ("index.docker.io/alpine", "index.docker.io/library/alpine"),
        ("docker.io/team/app:1", "docker.io/team/app:1"),
        ("docker.io:5000/alpine", "docker.io:5000/alpine"),
    ],
)
def test_dockers_hub_has_names_of_one_word_elsewhere(text: str, name: str) -> None:
    assert str(Reference.parse(text)) == name
    _, _, rest = text.partition("/")
    assert str(Reference.parse(rest).at(Address.parse(text.partition("/")[0]))) == name


def test_the_hint_for_a_tag_that_stands_alone_is_about_tags() -> None:
    with pytest.raises(UsageError, match=r"^'bad tag' is not a tag$") as caught:
        checked_tag("bad tag")
    assert caught.value.hint.startswith("a tag is")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "lower-case words"),
        ("Ubuntu", "lower case"),
        ("reg:5000/App", "lower case"),
        ("app:", "not a tag"),
        ("app:.x", "not a tag"),
        ("app:-x", "not a tag"),
        ("app:a b", "not a tag"),
        ("app:" + "t" * 129, "not a tag"),
        ("app@", "not a digest"),
        ("app@sha256:abc", "not a digest"),
        (f"app@{DIGEST.upper()}", "not a digest"),
        (f"app@md5:{'0' * 32}", "not a digest"),
        ("https://reg/app", "no scheme"),
        ("http://reg:5000/app", "no scheme"),
        ("reg:5000/", "lower-case words"),
        ("reg:5000//app", "lower-case words"),
        ("app/", "lower-case words"),
        ("/app", "lower-case words"),
        ("a..b", "lower-case words"),
        ("a___b", "lower-case words"),
        ("-a", "lower-case words"),
        ("a b", "lower-case words"),
        ("app\n", "lower-case words"),
        ("a" * 256, "lower-case words"),
        ("reg:99999/app", "port"),
        ("my_reg:5000/app", "underscore"),
        ("Reg.example/app", "upper-case"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_fault_named(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reference.parse(text)
    assert fault in caught.value.message
    assert caught.value.hint


@given(st.text() | st.from_regex(r"[a-zA-Z0-9._:/@-]{0,40}", fullmatch=True))
def test_any_text_is_a_reference_or_a_usage_error(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "version"),
    [("app", "latest"), ("app:1", "1"), (f"app@{DIGEST}", DIGEST), (f"app:1@{DIGEST}", DIGEST)],
)
def test_the_version_is_the_digest_else_the_tag_else_latest(text: str, version: str) -> None:
    assert Reference.parse(text).version == version


@pytest.mark.parametrize(
    ("text", "prefix", "moved"),
    [
        ("app:1", "", "reg.example:5000/app:1"),
        ("other:5001/team/app:1", "", "reg.example:5000/team/app:1"),
        ("team/app", "ci/nightly", "reg.example:5000/ci/nightly/team/app"),
    ],
)
def test_a_reference_is_moved_to_another_registry(text: str, prefix: str, moved: str) -> None:
    assert str(Reference.parse(text).at(REG, prefix)) == moved


def test_a_name_that_gets_too_long_below_a_prefix_is_refused() -> None:
    with pytest.raises(UsageError):
        Reference("a" * 200).at(REG, "b" * 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reg.example:5000", Destination(REG)),
        ("reg.example:5000/", Destination(REG)),
        ("reg.example:5000/team", Destination(REG, "team")),
        ("reg.example:5000/team/sub/", Destination(REG, "team/sub")),
        ("https://reg.example:5000/team", Destination(Address("reg.example", 5000, "https"), "team")),
        ("localhost", Destination(Address("localhost"))),
        ("[::1]:5000/team", Destination(Address("::1", 5000), "team")),
    ],
)
def test_where_a_push_goes(text: str, expected: Destination) -> None:
    assert Destination.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "/team", "reg", "reg.io/Team", "reg.io//team", "ftp://reg.io/t", "reg.io/t:1", "Reg.io/t"]
)
def test_where_no_push_can_go(text: str) -> None:
    with pytest.raises(UsageError):
        Destination.parse(text)


def test_an_image_where_a_push_goes_is_told_how_to_name_images() -> None:
    with pytest.raises(UsageError) as caught:
        Destination.parse("reg.io/team/app:1.0")
    assert caught.value.hint
    assert "--as NAME" in caught.value.hint


def test_a_repository_in_upper_case_gets_its_spelling_proposed() -> None:
    with pytest.raises(UsageError) as caught:
        checked_repository("Team/App")
    assert caught.value.hint == "write team/app"


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("team/app:1.*", ("team/app", "1.*")),
        ("reg:5000/app:[12].?", ("reg:5000/app", "[12].?")),
        ("[::1]:5000/app:*", ("[::1]:5000/app", "*")),
        ("[::1]:5000/app", ("[::1]:5000/app", None)),
        ("reg:5000/app*", ("reg:5000/app*", None)),
        ("app:1.0", ("app:1.0", None)),
        ("*", ("*", None)),
        (f"app@{DIGEST}", (f"app@{DIGEST}", None)),
    ],
)
def test_a_tag_that_is_a_glob(text: str, split: tuple[str, str | None]) -> None:
    assert split_glob(text) == split
