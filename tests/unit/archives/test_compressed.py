"""Archives that are compressed as a whole, and what is in members that are compressed."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.archives.compressed import CompressedTar, content_digest
from devreg.archives.content import Stored
from devreg.archives.shelf import Shelved
from devreg.model.errors import ArchiveUnusable
from tests.unit.archives import hostile
from tests.unit.archives.test_inflate import LAYER, Compress, ways
from tests.unit.direct.built import file, link, noise, sha256, tarred


def member(content: bytes) -> Shelved:
    return Shelved("layer.tar.gz", len(content), lambda: io.BytesIO(content))


class TestContentDigest:
    def test_it_is_that_of_what_was_compressed(self) -> None:
        assert content_digest(member(gzip.compress(LAYER) + gzip.compress(LAYER)), "gzip") == sha256(LAYER + LAYER)
        assert content_digest(member(gzip.compress(b"")), "gzip") == sha256(b"")

    def test_a_member_that_is_damaged_is_named(self) -> None:
        with pytest.raises(ArchiveUnusable, match=r"layer\.tar\.gz ends early"):
            content_digest(member(gzip.compress(LAYER)[:-1]), "gzip")


class TestCompressedTar:
    @ways
    def test_members_are_found(self, tmp_path: Path, how: str, compress: Compress) -> None:
        files = {"index.json": b"{}", "a": LAYER[:-100], "b": LAYER, "empty": b""}
        tar = CompressedTar(file(tmp_path, compress(tarred(files, link("to", "b")))), how)
        for name, content in {**files, "to": LAYER}.items():
            found = tar.find(f"./{name}")
            assert found is not None
            assert (found.size, found.head()) == (len(content), content[:512])
            assert b"".join(found.blocks()) == content
        assert tar.find("none") is None

    @ways
    @pytest.mark.parametrize("offset", [0, 1, 200_000, len(LAYER)])
    def test_a_blob_is_read_from_any_offset(self, tmp_path: Path, how: str, compress: Compress, offset: int) -> None:
        found = CompressedTar(file(tmp_path, compress(tarred({"a": b"a" * 999, "b": LAYER}))), how).find("b")
        assert found is not None
        stored = Stored(found.open, sha256(LAYER), found.size, "b")
        assert b"".join(stored.read(offset)) == LAYER[offset:]

    @pytest.mark.parametrize("make", hostile.ACCEPTED.values(), ids=hostile.ACCEPTED.keys())
    def test_what_tar_programs_read_is_read(self, tmp_path: Path, make: Callable[[], bytes]) -> None:
        found = CompressedTar(file(tmp_path, gzip.compress(make())), "gzip").find("d/x")
        assert found is not None
        assert b"".join(found.blocks()) == b"content"

    @pytest.mark.parametrize(("make", "words"), hostile.REFUSED.values(), ids=hostile.REFUSED.keys())
    def test_what_is_made_to_do_harm_is_refused(self, tmp_path: Path, make: Callable[[], bytes], words: str) -> None:
        path = file(tmp_path, gzip.compress(make()))
        with pytest.raises(ArchiveUnusable, match=words):
            CompressedTar(path, "gzip")

    @pytest.mark.parametrize("left", [1, 8, 20])
    def test_what_ends_early_is_refused_though_its_tar_is_whole(self, tmp_path: Path, left: int) -> None:
        content = tarred({"a": LAYER}) + noise("garbage")
        path = file(tmp_path, gzip.compress(content)[:-left], "image.tar.gz")
        with pytest.raises(ArchiveUnusable, match=r"image\.tar\.gz ends early"):
            CompressedTar(path, "gzip")

    def test_a_name_that_leads_out_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveUnusable, match="lies outside"):
            CompressedTar(file(tmp_path, gzip.compress(tarred({"a": b""}))), "gzip").find("../a")

    @pytest.mark.parametrize("content", [b"", gzip.compress(LAYER)[:2000], gzip.compress(b"")])
    def test_a_tar_that_changes_is_named(self, tmp_path: Path, content: bytes) -> None:
        path = file(tmp_path, gzip.compress(tarred({"a": LAYER})), "image.tar.gz")
        found = CompressedTar(path, "gzip").find("a")
        assert found is not None
        path.write_bytes(content)
        stored = Stored(found.open, sha256(LAYER), found.size, "a")
        with pytest.raises(ArchiveUnusable, match="ends"):
            b"".join(stored.read(0))

    def test_a_tar_that_is_gone_is_named(self, tmp_path: Path) -> None:
        path = file(tmp_path, gzip.compress(tarred({"a": LAYER})))
        found = CompressedTar(path, "gzip").find("a")
        assert found is not None
        path.unlink()
        with pytest.raises(ArchiveUnusable, match="a cannot be read: No such file"):
            list(found.blocks())
