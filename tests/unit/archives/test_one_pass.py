"""An archive that comes as a stream."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping

import pytest

from devreg.archives import one_pass as module
from devreg.archives.one_pass import Member, one_pass
from devreg.archives.shelf import HEAD
from devreg.model.archive_json import SMALL
from devreg.model.errors import ArchiveUnusable
from tests.unit.archives import hostile
from tests.unit.archives.test_forward import Trickle
from tests.unit.direct.built import link, tarred

LAYER = tarred({"file": b"content" * 1000})


def whole(member: Member, _small: Mapping[str, bytes]) -> bytes:
    return b"".join(member.blocks)


@pytest.mark.parametrize("make", hostile.ACCEPTED.values(), ids=hostile.ACCEPTED.keys())
def test_what_tar_programs_read_is_read(make: Callable[[], bytes]) -> None:
    passed = one_pass(Trickle(make()), whole, "the pipe")
    assert passed.text("d/x") == b"content"


@pytest.mark.parametrize(("make", "words"), hostile.REFUSED.values(), ids=hostile.REFUSED.keys())
def test_what_is_made_to_do_harm_is_refused(make: Callable[[], bytes], words: str) -> None:
    stream = Trickle(make(), 2**16)
    with pytest.raises(ArchiveUnusable, match=words):
        one_pass(stream, whole, "the pipe")


def test_a_stream_that_breaks_is_named() -> None:
    class Breaking(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            raise TimeoutError("timed out")

    stream = Breaking()
    with pytest.raises(ArchiveUnusable, match="the pipe cannot be read: timed out"):
        one_pass(stream, whole, "the pipe")


@pytest.mark.parametrize("at", range(0, 6000, 397))
def test_a_stream_that_ends_early_is_refused_or_lacks_something(at: int) -> None:
    stream = io.BytesIO(tarred({"layer.tar": LAYER[:3000], "manifest.json": b"[]", "last": b"1"})[:at])
    try:
        passed = one_pass(stream, whole, "the pipe")
    except ArchiveUnusable:
        return
    assert passed.text("last") is None or at > 5600


def test_small_members_are_kept_and_others_handed_on() -> None:
    config = json.dumps({"rootfs": "x" * 10_000}).encode()
    seen: list[tuple[str, int, int, bytes, list[str]]] = []

    def take(member: Member, small: Mapping[str, bytes]) -> str:
        seen.append((member.name, member.offset, member.size, member.head, list(small)))
        assert b"".join(member.blocks) == LAYER
        return "made"

    tar = tarred({"a/json": b"  {}", "a/layer.tar": LAYER, "config": config, "VERSION": b"1.0", "empty": b""})
    passed = one_pass(io.BytesIO(tar), take, "the pipe")
    assert seen == [("a/layer.tar", 1536, len(LAYER), LAYER[:HEAD], ["a/json"])]
    assert (passed.made("a/layer.tar"), passed.text("a/layer.tar")) == ("made", None)
    assert (passed.text("config"), passed.text("VERSION"), passed.text("empty")) == (config, b"1.0", b"")
    assert (passed.made("config"), passed.text("none"), passed.made("none")) == (None, None, None)


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_member_may_be_left_unread(read: int) -> None:
    def take(member: Member, _small: Mapping[str, bytes]) -> int:
        return sum(len(next(member.blocks)) for _ in range(read))

    tar = tarred({"layer": bytes(2 * 2**20 + 700), "other": bytes(2 * 2**20 + 512), "last": b"content"})
    assert one_pass(io.BytesIO(tar), take, "the pipe").text("last") == b"content"


def test_what_take_raises_is_raised() -> None:
    def take(_member: Member, _small: Mapping[str, bytes]) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        one_pass(io.BytesIO(tarred({"a": LAYER})), take, "the pipe")


def test_links_lead_to_what_was_made() -> None:
    tar = tarred({"b/layer.tar": LAYER}, link("a/layer.tar", "../b/layer.tar"), link("c", "a/layer.tar"))
    passed = one_pass(io.BytesIO(tar), lambda member, _: member.name, "the pipe")
    assert (passed.made("a/layer.tar"), passed.made("c")) == ("b/layer.tar", "b/layer.tar")


def test_the_last_of_a_name_counts_whatever_it_is() -> None:
    large, text = tarred({"a": LAYER})[: 512 + len(LAYER)], tarred({"a": b"{}"})[:1024]
    passed = one_pass(io.BytesIO(text + large), lambda member, _: member.size, "the pipe")
    assert (passed.text("a"), passed.made("a")) == (None, len(LAYER))
    passed = one_pass(io.BytesIO(large + text), lambda member, _: member.size, "the pipe")
    assert (passed.text("a"), passed.made("a")) == (b"{}", None)


def test_json_that_is_large_is_not_kept() -> None:
    tar = tarred({"fits": b"[" + bytes(SMALL - 1), "large": b"[" + bytes(SMALL)})
    passed = one_pass(io.BytesIO(tar), lambda member, _: member.size, "the pipe")
    assert passed.made("large") == SMALL + 1
    assert len(passed.text("fits") or b"") == SMALL


def test_not_more_than_a_bit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_BYTES", 1000)
    tar = tarred({f"{number}.json": b"{" + b" " * 399 for number in range(5)})
    passed = one_pass(io.BytesIO(tar), lambda member, _: member.name, "the pipe")
    assert list(passed.small) == ["0.json", "1.json"]
    assert list(passed.taken) == ["2.json", "3.json", "4.json"]


def test_the_stream_is_read_to_its_end() -> None:
    """Else whoever writes it may be told that nobody reads."""
    stream = io.BytesIO(tarred({"a": b""}) + bytes(100_000))
    one_pass(stream, whole, "the pipe")
    assert stream.read() == b""


def test_a_stream_without_end_is_left() -> None:
    class Following(io.RawIOBase):
        def __init__(self) -> None:
            self.tar, self.rest = io.BytesIO(tarred({"a": b""})), hostile.endless(bytes(2**20))

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            return self.tar.readinto(buffer) or self.rest.readinto(buffer) or 0

    stream = Following()
    with pytest.raises(ArchiveUnusable, match="the pipe goes on after the end of its tar"):
        one_pass(stream, whole, "the pipe")


def test_members_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.archives.tar_headers._MOST_MEMBERS", 50)
    stream = hostile.endless(hostile.header())
    with pytest.raises(ArchiveUnusable, match="more than 50 members"):
        one_pass(stream, whole, "the pipe")


def test_a_layer_of_gigabytes_takes_no_memory() -> None:
    import tracemalloc

    size = 2**30
    header, rest = io.BytesIO(hostile.header("layer.tar", size=size)), hostile.endless(bytes(2**20))

    class Large(io.RawIOBase):
        at = 0

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if self.at >= size + 512:
                return 0
            count = header.readinto(buffer) or rest.readinto(buffer[: size + 512 - self.at])
            self.at += count or 0
            return count or 0

    tracemalloc.start()
    try:
        passed = one_pass(Large(), lambda member, _: sum(map(len, member.blocks)), "the pipe")
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
    assert passed.made("layer.tar") == size


def test_devices_and_folders_are_passed_by() -> None:
    kinds = (tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    tar = tarred({}, *(link(f"odd{number}", "", kind) for number, kind in enumerate(kinds)))
    passed = one_pass(io.BytesIO(tar), whole, "the pipe")
    assert (passed.small, passed.taken, passed.links) == ({}, {}, {})
