"""Images, and the archives that different programs make of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devreg.model.manifest import DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_GZIP = f"{OCI_LAYER}+gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EMPTY_TAR = bytes(1024)

Files = dict[str, bytes]
Json = dict[str, object]


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def noise(seed: str, size: int = 10_000) -> bytes:
    """Bytes that no compressor makes smaller."""
    return hashlib.shake_128(seed.encode()).digest(size)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


# Tars


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def tarred(files: Mapping[str, bytes], *others: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of `files`, and of members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in others:
            tar.addfile(member)
    return buffer.getvalue()


def file(folder: Path, content: bytes, name: str = "image.tar") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def unpacked(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


# Images


@dataclass(frozen=True)
class Image:
    """An image by the tars of its layers."""

    layers: tuple[bytes, ...]
    note: str = ""

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(map(sha256, self.layers))

    @property
    def config(self) -> bytes:
        return as_json({"os": "linux", "note": self.note, "rootfs": {"type": "layers", "diff_ids": self.diff_ids}})

    @property
    def id(self) -> str:
        return sha256(self.config)


def image(*seeds: str, size: int = 10_000) -> Image:
    """An image with a layer of noise for each seed."""
    return Image(tuple(tarred({f"{seed}.bin": noise(seed, size)}) for seed in seeds))


def by_engine_20(one: Image, name: str = "app:1") -> Files:
    """The files of `docker save` of 20.10, in its order: folders of the first image format by their names, then the
    rest. A layer that is there already is a link, see `links_of_engine_20`."""
    folders, config = _v1_folders(one), f"{one.id[7:]}.json"
    paths = [f"{folder}/layer.tar" for folder, _ in folders]
    files: Files = {}
    for (folder, text), layer, (first, _) in sorted(
        zip(folders, one.layers, [folders[one.layers.index(each)] for each in one.layers], strict=True)
    ):
        files |= {f"{folder}/VERSION": b"1.0", f"{folder}/json": text}
        if folder == first:
            files[f"{folder}/layer.tar"] = layer
    entry = {"Config": config, "RepoTags": [name], "Layers": paths}
    return files | {config: one.config, "manifest.json": as_json([entry])}


def links_of_engine_20(one: Image) -> list[tarfile.TarInfo]:
    """What `by_engine_20` leaves out: the layers whose content another one has."""
    folders = [folder for folder, _ in _v1_folders(one)]
    firsts = [folders[one.layers.index(each)] for each in one.layers]
    pairs = zip(folders, firsts, strict=True)
    return [link(f"{folder}/layer.tar", f"../{first}/layer.tar") for folder, first in pairs if folder != first]


def _v1_folders(one: Image) -> list[tuple[str, bytes]]:
    """The name and the file `json` of each layer's folder (moby, image/v1: CreateID; image/tarexport: saveImage)."""
    found: list[tuple[str, bytes]] = []
    parent = chain = ""
    for at, diff_id in enumerate(one.diff_ids):
        chain = sha256(f"{chain} {diff_id}".encode()) if chain else diff_id
        last = at == len(one.layers) - 1
        content: Json = {"container_config": {"Cmd": ["a<b>&c"]}, "created": "1970-01-01T00:00:00Z"}
        content |= {"architecture": "amd64", "os": "linux"} if last else {}
        hashed = content | {"layer_id": chain} | ({"parent": f"sha256:{parent}"} if parent else {})
        name = hashlib.sha256(_go_json(hashed)).hexdigest()
        saved = {"id": name} | ({"parent": parent} if parent else {}) | content | {"os": "linux"}
        found.append((name, _go_json(saved)))
        parent = name
    return found


def _go_json(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def by_engine_25(one: Image, name: str = "app:1") -> Files:
    """The files of `docker save` of 25 and later with a graph driver: an OCI layout, but its layers are bare."""
    blobs = {sha256(each): each for each in (one.config, *one.layers)}
    config = {"mediaType": OCI_CONFIG, "digest": one.id, "size": len(one.config)}
    layers = [{"mediaType": OCI_LAYER, "digest": sha256(each), "size": len(each)} for each in one.layers]
    body = as_json({"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": config, "layers": layers})
    entry = {
        "Config": blob_path(one.id),
        "RepoTags": [name],
        "Layers": [blob_path(each) for each in one.diff_ids],
        "LayerSources": {str(each["digest"]): each for each in layers},
    }
    return {
        **{blob_path(digest): blob for digest, blob in sorted({**blobs, sha256(body): body}.items())},
        "index.json": index_of(described(body, OCI_IMAGE, name=f"docker.io/library/{name}")),
        "manifest.json": as_json([entry]),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }


def by_skopeo(one: Image, name: str = "app:1") -> Files:
    """The files of `skopeo copy … docker-archive:`."""
    layers = [f"{digest[7:]}.tar" for digest in one.diff_ids]
    config = f"{one.id[7:]}.json"
    entry = {"Config": config, "RepoTags": [name], "Layers": layers}
    return {**dict(zip(layers, one.layers, strict=True)), config: one.config, "manifest.json": as_json([entry])}


def by_crane(one: Image, name: str = "app:1") -> Files:
    """The files of `crane pull`: a docker-archive whose layers are compressed."""
    layers = [gzip.compress(each, mtime=0) for each in one.layers]
    paths = [f"{sha256(each)[7:]}.tar.gz" for each in layers]
    entry = {"Config": one.id, "RepoTags": [name], "Layers": paths}
    return {one.id: one.config, **dict(zip(paths, layers, strict=True)), "manifest.json": as_json([entry])}


# OCI layouts


def blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def described(body: bytes, media_type: str, *, name: str = "", **more: object) -> Json:
    """A descriptor."""
    annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    return {"mediaType": media_type, "digest": sha256(body), "size": len(body), **annotations, **more}


def index_of(*entries: Json) -> bytes:
    return as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


@dataclass
class Layout:
    """An OCI layout while it is made: `add` puts in what an image consists of and returns its manifest."""

    files: Files = field(default_factory=lambda: {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'})

    def blob(self, content: bytes, media_type: str) -> Json:
        """Put a blob in. Returns its descriptor."""
        self.files[blob_path(sha256(content))] = content
        return described(content, media_type)

    def add(self, one: Image, *extra: Json, form: str = OCI_IMAGE) -> bytes:
        """Put an image in; `extra` are descriptors of more layers. Returns its manifest."""
        docker = form == DOCKER_IMAGE
        layers = [self.blob(gzip.compress(each, mtime=0), DOCKER_LAYER if docker else OCI_GZIP) for each in one.layers]
        config = self.blob(one.config, DOCKER_CONFIG if docker else OCI_CONFIG)
        return self.manifest(form, config=config, layers=[*layers, *extra])

    def manifest(self, form: str, **content: object) -> bytes:
        body = as_json({"schemaVersion": 2, "mediaType": form, **content})
        self.blob(body, form)
        return body

    def index(self, *entries: Json) -> bytes:
        body = index_of(*entries)
        self.blob(body, OCI_INDEX)
        return body

    def rooted(self, *entries: Json) -> Files:
        """All files, with an `index.json` that names these."""
        return self.files | {"index.json": index_of(*entries)}


def platform(text: str) -> Json:
    system, architecture = text.split("/")
    return {"os": system, "architecture": architecture}


def multi_platform(name: str = "app:1", *, without: Sequence[str] = ()) -> tuple[Files, bytes]:
    """The files of a layout of two platforms and an attestation, as BuildKit makes it, and its index. `without`: those
    whose manifests are left out."""
    layout = Layout()
    bodies = {each: layout.add(image("base", each)) for each in ("linux/amd64", "linux/arm64")}
    statement = layout.blob(b'{"_type": "in-toto"}', "application/vnd.in-toto+json")
    unknown = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[statement])
    bodies["unknown/unknown"] = unknown
    entries = [described(body, OCI_IMAGE, platform=platform(each)) for each, body in bodies.items()]
    index = layout.index(*entries)
    files = layout.rooted(described(index, OCI_INDEX, name=name))
    for each in without:
        del files[blob_path(sha256(bodies[each]))]
    return files, index
