"""Layers read where an engine keeps them: made as overlay2 and tar-split make them."""

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from devreg.host import layer_store
from devreg.host.layer_store import StoreChanged, StoredLayer, find

Files = Mapping[str, bytes]
FIRST, SECOND = {"etc/passwd": b"root", "bin/sh": b"#" * 3_000_000, "empty": b""}, {"late": b"y" * 513}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": 1, "name": name, "size": len(content), "payload": "crc64"}


def rest(content: bytes) -> dict[str, object]:
    return {"type": 2, "payload": base64.b64encode(content).decode()}


def split(files: Files) -> tuple[bytes, list[dict[str, object]]]:
    """A tar, and what tar-split notes of it: everything but the content of files."""
    buffer, noted, before = io.BytesIO(), [], 0
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    tar_bytes = buffer.getvalue()
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        for member in tar:
            noted.append(rest(tar_bytes[before : member.offset_data]))
            noted.append(entry(member.name, files[member.name]) if member.size else entry(member.name, b""))
            before = member.offset_data + member.size
    return tar_bytes, [*noted, rest(tar_bytes[before:])]


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def record(folder: Path, *entries: Mapping[str, object]) -> StoredLayer:
    """A layer in `folder` by its record; its files are to be put into `folder/diff`."""
    (folder / "diff").mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in entries)
    write(folder / "tar-split.json.gz", gzip.compress(lines))
    return StoredLayer(folder / "tar-split.json.gz", folder / "diff", 0)


def read(layer: StoredLayer) -> bytes:
    return b"".join(layer.blocks())


class Store:
    """An engine's folder with one image."""

    def __init__(self, root: Path, *layers: Files) -> None:
        self.root = root
        self.tars = [split(each)[0] for each in layers]
        self.diff_ids = tuple(f"sha256:{sha256(each)}" for each in self.tars)
        config = json.dumps({"rootfs": {"diff_ids": self.diff_ids}}).encode()
        self.image_id = f"sha256:{sha256(config)}"
        self.config = root / "image/overlay2/imagedb/content/sha256" / self.image_id[7:]
        self.folders: list[Path] = []
        write(self.config, config)
        chain = ""
        for number, (files, diff_id) in enumerate(zip(layers, self.diff_ids, strict=True)):
            chain = f"sha256:{sha256(f'{chain} {diff_id}'.encode())}" if chain else diff_id
            folder = root / "image/overlay2/layerdb/sha256" / chain[7:]
            record(folder, *split(files)[1])
            write(folder / "cache-id", f"cache{number}".encode())
            write(folder / "size", str(sum(map(len, files.values()))).encode())
            for name, content in files.items():
                write(root / f"overlay2/cache{number}/diff" / name, content)
            self.folders.append(folder)

    def found(self, driver: str = "overlay2") -> layer_store.StoredImage | None:
        return find(str(self.root), driver, self.image_id, self.diff_ids)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "docker", FIRST, SECOND)


class TestFind:
    def test_layers_are_given_back_byte_for_byte(self, store: Store) -> None:
        image = store.found()
        assert image is not None
        assert image.config == store.config.read_bytes()
        assert [read(image.layers[each]) for each in store.diff_ids] == store.tars
        assert image.layers[store.diff_ids[1]].size == 513

    def test_they_may_be_read_again_and_left(self, store: Store) -> None:
        image = store.found()
        assert image is not None
        layer = image.layers[store.diff_ids[0]]
        next(layer.blocks())
        assert read(layer) == read(layer) == store.tars[0]

    def test_blocks_are_bounded(self, store: Store) -> None:
        image = store.found()
        assert image is not None
        assert max(map(len, image.layers[store.diff_ids[0]].blocks())) == 2**20

    def test_the_folder_may_be_a_link(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(store.root)
        image = find(str(tmp_path / "link"), "overlay2", store.image_id, store.diff_ids)
        assert image is not None
        assert read(image.layers[store.diff_ids[0]]) == store.tars[0]

    @pytest.mark.parametrize("driver", ["btrfs", "zfs", "overlayfs", "vfs", "fuse-overlayfs", ""])
    def test_other_drivers_are_left_alone(self, store: Store, driver: str) -> None:
        assert store.found(driver) is None

    def test_an_engine_that_does_not_say_where(self, store: Store) -> None:
        assert find("", "overlay2", store.image_id, store.diff_ids) is None

    def test_another_image(self, store: Store) -> None:
        assert find(str(store.root), "overlay2", f"sha256:{'0' * 64}", store.diff_ids) is None
        assert find(str(store.root), "overlay2", store.image_id, [f"sha256:{'0' * 64}"]) is None

    @pytest.mark.parametrize(
        "damage",
        [
            lambda store: store.config.write_bytes(b"{}"),
            lambda store: store.config.unlink(),
            lambda store: (store.folders[0] / "tar-split.json.gz").unlink(),
            lambda store: (store.folders[0] / "cache-id").unlink(),
            lambda store: (store.folders[0] / "cache-id").write_bytes(b"\xff\xfe"),
            lambda store: (store.folders[0] / "cache-id").write_bytes(b"elsewhere"),
            lambda store: (store.folders[1] / "size").write_text("much"),
            lambda store: (store.folders[1] / "size").unlink(),
        ],
    )
    def test_what_is_not_as_it_should_be_is_not_found(self, store: Store, damage: Callable[[Store], object]) -> None:
        damage(store)
        assert store.found() is None

    def test_a_store_that_is_closed_to_this_user(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: object) -> object:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("devreg.host.layer_store.os.scandir", refuse)
        assert store.found() is None


class TestNames:
    def test_a_name_that_is_no_utf8(self, tmp_path: Path) -> None:
        raw = b"caf\xe9/\xff"
        noted = {"type": 1, "name_raw": base64.b64encode(raw).decode(), "size": 3}
        layer = record(tmp_path, rest(b"<"), noted, rest(b">"))
        folder = os.fsencode(tmp_path / "diff") + b"/caf\xe9"
        os.mkdir(folder)  # noqa: PTH102  # names may be no text
        with open(folder + b"/\xff", "wb") as file:  # noqa: PTH123
            file.write(b"abc")
        assert read(layer) == b"<abc>"

    def test_a_name_beyond_ascii_is_utf8_whatever_the_locale(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layer = record(tmp_path, entry("héllo", b"abc"))
        write(tmp_path / "diff/héllo", b"abc")
        monkeypatch.setattr(
            "os.fsencode", lambda path: path if isinstance(path, bytes) else str(path).encode("latin-1")
        )
        monkeypatch.setattr(
            "os.fsdecode", lambda path: path.decode("latin-1") if isinstance(path, bytes) else str(path)
        )
        assert read(layer) == b"abc"

    @pytest.mark.parametrize("name", ["./a", "/a", "//a", "a/../a", "../a", "../../a"])
    def test_names_lead_into_the_layer(self, tmp_path: Path, name: str) -> None:
        layer = record(tmp_path / "layer", entry(name, b"abc"))
        write(tmp_path / "layer/diff/a", b"abc")
        write(tmp_path / "layer/a", b"!!!")
        write(tmp_path / "a", b"!!!")
        assert read(layer) == b"abc"

    @pytest.mark.parametrize("name", ["{secret}", "../../secret", "x/../../../secret"])
    def test_no_name_leads_to_a_file_of_this_machine(self, tmp_path: Path, name: str) -> None:
        write(tmp_path / "secret", b"abc")
        layer = record(tmp_path / "layer", entry(name.format(secret=tmp_path / "secret"), b"abc"))
        with pytest.raises(StoreChanged, match="No such file"):
            read(layer)


class TestWhatIsNoFile:
    @pytest.fixture
    def layer(self, tmp_path: Path) -> StoredLayer:
        write(tmp_path / "out/a", b"abc")
        return record(tmp_path / "layer", entry("d/a", b"abc"))

    def test_a_link_in_its_place(self, layer: StoredLayer, tmp_path: Path) -> None:
        (layer.files / "d").mkdir()
        (layer.files / "d/a").symlink_to(tmp_path / "out/a")
        with pytest.raises(StoreChanged, match="no regular file"):
            read(layer)

    @pytest.mark.parametrize("target", ["{out}", "../../out"])
    def test_a_link_on_the_way(self, layer: StoredLayer, tmp_path: Path, target: str) -> None:
        (layer.files / "d").symlink_to(target.format(out=tmp_path / "out"))
        with pytest.raises(StoreChanged, match="leads elsewhere"):
            read(layer)

    def test_a_device_or_a_pipe_is_not_even_opened(self, layer: StoredLayer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tar may have a file and then a device node of the same name: the record tells of the first."""
        (layer.files / "d").mkdir()
        os.mkfifo(layer.files / "d/a")
        monkeypatch.setattr("devreg.host.layer_store.os.open", lambda *_: pytest.fail("opened"))
        with pytest.raises(StoreChanged, match="no regular file"):
            read(layer)

    def test_a_folder(self, layer: StoredLayer) -> None:
        (layer.files / "d/a").mkdir(parents=True)
        with pytest.raises(StoreChanged, match="no regular file"):
            read(layer)

    def test_nothing(self, layer: StoredLayer) -> None:
        with pytest.raises(StoreChanged, match="No such file"):
            read(layer)


class TestChanges:
    def test_a_file_that_became_shorter(self, tmp_path: Path) -> None:
        layer = record(tmp_path, entry("a", b"abcd"))
        write(tmp_path / "diff/a", b"abc")
        with pytest.raises(StoreChanged, match="shorter than its record says"):
            read(layer)

    def test_a_file_that_became_longer_is_read_as_far_as_it_was(self, tmp_path: Path) -> None:
        layer = record(tmp_path, entry("a", b"abcd"), rest(b"!"))
        write(tmp_path / "diff/a", b"abcdef")
        assert read(layer) == b"abcd!"

    def test_a_file_that_is_replaced_is_read_on(self, tmp_path: Path) -> None:
        """The old one: its bytes are what has been begun."""
        layer = record(tmp_path, entry("a", bytes(3 * 2**20)))
        write(tmp_path / "diff/a", bytes(3 * 2**20))
        blocks = layer.blocks()
        first = next(blocks)
        write(tmp_path / "new", b"\1" * 10)
        (tmp_path / "new").rename(tmp_path / "diff/a")
        assert first + b"".join(blocks) == bytes(3 * 2**20)

    def test_a_file_that_is_cut_while_it_is_read(self, tmp_path: Path) -> None:
        layer = record(tmp_path, entry("a", bytes(3 * 2**20)))
        write(tmp_path / "diff/a", bytes(3 * 2**20))
        blocks = layer.blocks()
        next(blocks)
        write(tmp_path / "diff/a", b"")
        with pytest.raises(StoreChanged, match="shorter"):
            list(blocks)

    def test_a_layer_that_is_gone(self, store: Store) -> None:
        image = store.found()
        assert image is not None
        (store.folders[0] / "tar-split.json.gz").unlink()
        with pytest.raises(StoreChanged, match=r"tar-split\.json\.gz"):
            read(image.layers[store.diff_ids[0]])

    @pytest.mark.parametrize(
        "lines",
        [
            b"no JSON\n",
            b"[]\n",
            b"null\n",
            b'"type"\n',
            b"{}\n",
            b"[" * 100_000,
            b'{"type": 2}\n',
            b'{"type": 2, "payload": 1}\n',
            b'{"type": 2, "payload": "a"}\n',
            b'{"type": 1, "size": 3}\n',
            b'{"type": 1, "size": 3, "name": 1}\n',
            b'{"type": 1, "size": 3, "name": "\\ud800"}\n',
            b'{"type": 1, "size": 3, "name": "a\\u0000"}\n',
            b'{"type": 1, "size": 3, "name": ""}\n',
            b'{"type": 1, "size": -3, "name": "a"}\n',
            b'{"type": 1, "size": "much", "name": "a"}\n',
            b'{"type": 1, "size": 3, "name_raw": "%"}\n',
        ],
    )
    def test_a_record_that_makes_no_sense(self, tmp_path: Path, lines: bytes) -> None:
        layer = record(tmp_path)
        write(tmp_path / "diff/a", b"abc")
        write(layer.record, gzip.compress(lines))
        with pytest.raises(StoreChanged):
            read(layer)

    @pytest.mark.parametrize(
        "damage",
        [lambda zipped: zipped[:-9], lambda zipped: zipped[:10] + b"\xff\xff", lambda _: b"no gzip", lambda _: b"\x1f"],
    )
    def test_a_record_that_is_damaged(self, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        layer = record(tmp_path, rest(os.urandom(1000)))
        write(layer.record, damage(layer.record.read_bytes()))
        with pytest.raises(StoreChanged):
            read(layer)
