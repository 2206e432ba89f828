"""Archives whose members are had by name: what is found, and what is refused."""

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from devreg.archives import shelf
from devreg.archives.compressed import CompressedTar
from devreg.archives.shelf import Folder, Shelf, Tar, small
from devreg.model.archive_json import SMALL
from devreg.model.errors import ArchiveUnusable
from tests.unit.archives import hostile
from tests.unit.direct.built import file, link, tarred, unpacked


def content(of: Shelf, name: str) -> bytes | None:
    found = of.find(name)
    if found is None:
        return None
    read = b"".join(found.blocks())
    assert len(read) == found.size
    assert found.head() == read[: shelf.HEAD]
    return read


class TestTar:
    @pytest.mark.parametrize("make", hostile.ACCEPTED.values(), ids=hostile.ACCEPTED.keys())
    def test_what_tar_programs_read_is_read(self, tmp_path: Path, make: object) -> None:
        tar = Tar(file(tmp_path, make()))  # type: ignore[operator]
        assert content(tar, "d/x") == content(tar, "./d/../d/x") == b"content"

    @pytest.mark.parametrize(("make", "words"), hostile.REFUSED.values(), ids=hostile.REFUSED.keys())
    def test_what_is_made_to_do_harm_is_refused(self, tmp_path: Path, make: object, words: str) -> None:
        path = file(tmp_path, make())  # type: ignore[operator]
        with pytest.raises(ArchiveUnusable, match=words):
            Tar(path)

    def test_members_are_read_in_any_order_and_again(self, tmp_path: Path) -> None:
        tar = Tar(file(tmp_path, tarred({"a": b"1" * 700, "b": b"2" * 1000})))
        one, other = tar.find("b"), tar.find("a")
        assert one is not None
        assert other is not None
        with one.open() as first, other.open() as second, one.open() as third:
            assert (first.read(), second.read(), third.read()) == (b"2" * 1000, b"1" * 700, b"2" * 1000)

    @pytest.mark.parametrize("name", ["none", "d", "fifo", "round", "lost"])
    def test_what_is_no_file_is_not_there(self, tmp_path: Path, name: str) -> None:
        others = [
            link("d", "", tarfile.DIRTYPE),
            link("fifo", "", tarfile.FIFOTYPE),
            link("round", "round"),
            link("lost", "nowhere"),
        ]
        assert Tar(file(tmp_path, tarred({"a": b""}, *others))).find(name) is None

    @pytest.mark.parametrize("name", ["../a", "/a", "..", ".", "", "a\0b"])
    def test_a_name_that_leads_out_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ArchiveUnusable, match="lies outside"):
            Tar(file(tmp_path, tarred({"a": b"b"}))).find(name)

    def test_members_without_end_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devreg.archives.tar_headers._MOST_MEMBERS", 3)
        assert Tar(file(tmp_path, tarred({"a": b"", "b": b""}))).find("b")
        with pytest.raises(ArchiveUnusable, match="more than 3 members"):
            Tar(file(tmp_path, tarred({"a": b"", "b": b"", "c": b"", "d": b""})))

    def test_a_tar_that_changes_is_named(self, tmp_path: Path) -> None:
        path = file(tmp_path, tarred({"a": b"b" * 5000}))
        tar = Tar(path)
        path.unlink()
        with pytest.raises(ArchiveUnusable, match="a cannot be read: No such file"):
            content(tar, "a")

    def test_it_is_not_read_whole(self, tmp_path: Path) -> None:
        """A file of 4 GiB, nearly all of it a hole."""
        path = tmp_path / "big.tar"
        size = 2**32
        with path.open("wb") as made:
            made.write(hostile.header("hole", size=size))
            made.truncate(512 + size)
            made.seek(512 + size)
            made.write(tarred({"after": b"content"}))
        tar = Tar(path)
        assert content(tar, "after") == b"content"
        found = tar.find("hole")
        assert found is not None
        assert found.size == size
        with found.open() as hole:
            hole.seek(size - 3)
            assert hole.read() == bytes(3)


class TestFolder:
    def test_files_are_found(self, tmp_path: Path) -> None:
        folder = Folder(unpacked(tmp_path, {"index.json": b"{}", "blobs/sha256/a": b"b" * 2000, "empty": b""}))
        assert content(folder, "index.json") == b"{}"
        assert content(folder, "./blobs/sha256/../sha256/a") == b"b" * 2000
        assert content(folder, "empty") == b""
        assert folder.find("blobs") is None
        assert folder.find("none") is None
        assert folder.find("index.json/none") is None

    def test_links_are_followed_inside(self, tmp_path: Path) -> None:
        (unpacked(tmp_path, {"d/a": b"content"}) / "to").symlink_to("d/a")
        (tmp_path / "e").symlink_to("d")
        assert content(Folder(tmp_path), "to") == content(Folder(tmp_path), "e/a") == b"content"

    def test_the_folder_itself_may_be_a_link(self, tmp_path: Path) -> None:
        unpacked(tmp_path / "real", {"a": b"content"})
        (tmp_path / "to").symlink_to("real")
        assert content(Folder(tmp_path / "to"), "a") == b"content"

    @pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "/", ".."])
    def test_links_that_lead_out_are_refused(self, tmp_path: Path, target: str) -> None:
        unpacked(tmp_path, {"secret": b"secret", "in/a": b""})
        (tmp_path / "in" / "b").symlink_to(target)
        with pytest.raises(ArchiveUnusable, match="b is a link that leads out"):
            Folder(tmp_path / "in").find("b")

    def test_a_folder_that_leads_out_is_refused(self, tmp_path: Path) -> None:
        unpacked(tmp_path, {"out/secret": b"secret", "in/a": b""})
        (tmp_path / "in" / "blobs").symlink_to("../out")
        with pytest.raises(ArchiveUnusable, match="leads out"):
            Folder(tmp_path / "in").find("blobs/secret")

    @pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "..", "a\0"])
    def test_names_that_lead_out_are_refused(self, tmp_path: Path, name: str) -> None:
        unpacked(tmp_path, {"secret": b"secret", "in/a": b""})
        with pytest.raises(ArchiveUnusable, match="lies outside"):
            Folder(tmp_path / "in").find(name)

    def test_links_in_a_circle_lead_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        found = None
        with suppress(ArchiveUnusable):  # newer Python finds nothing there
            found = Folder(tmp_path).find("a")
        assert found is None

    @pytest.mark.parametrize("name", ["a" * 5000, "half \ud800 a character"])
    def test_names_that_no_file_has(self, tmp_path: Path, name: str) -> None:
        try:
            assert Folder(tmp_path).find(name) is None
        except ArchiveUnusable as error:
            error.message.encode()

    def test_a_pipe_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        assert Folder(tmp_path).find("fifo") is None

    def test_a_file_that_becomes_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        found = Folder(unpacked(tmp_path, {"a": b"b"})).find("a")
        assert found is not None
        (tmp_path / "a").unlink()
        os.mkfifo(tmp_path / "a")
        with pytest.raises(ArchiveUnusable, match="a cannot be read: not a regular file"):
            list(found.blocks())

    def test_a_file_that_is_closed_to_this_user_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = Folder(unpacked(tmp_path, {"index.json": b"{}"}))

        def refuse(path: Path) -> io.FileIO:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(shelf, "opened", refuse)
        with pytest.raises(ArchiveUnusable, match=r"index\.json cannot be read: Permission denied"):
            small(folder, "index.json")

    def test_a_folder_that_is_closed_to_this_user_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path) -> bool:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "is_file", refuse)
        with pytest.raises(ArchiveUnusable, match=r"a cannot be looked at: .*Permission denied"):
            Folder(unpacked(tmp_path, {"a": b""})).find("a")


@pytest.fixture(params=["folder", "tar", "tar.xz"])
def sized(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    import lzma

    files = {"fits": b"{}" + bytes(SMALL - 2), "large": b"{}" + bytes(SMALL)}
    if request.param == "folder":
        return Folder(unpacked(tmp_path, files))
    if request.param == "tar":
        return Tar(file(tmp_path, tarred(files)))
    return CompressedTar(file(tmp_path, lzma.compress(tarred(files), preset=0)), "xz")


class TestSmall:
    def test_what_should_be_small_has_to_be(self, sized: Shelf) -> None:
        assert len(small(sized, "fits") or b"") == SMALL
        assert small(sized, "none") is None
        with pytest.raises(ArchiveUnusable, match=f"large has {SMALL + 2} bytes"):
            small(sized, "large")

    def test_a_file_that_became_shorter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = Folder(unpacked(tmp_path, {"a": b"1234"}))
        found = folder.find("a")
        (tmp_path / "a").write_bytes(b"12")
        monkeypatch.setattr(folder, "find", lambda _name: found)
        with pytest.raises(ArchiveUnusable, match="a ends early"):
            small(folder, "a")
