"""Images that an engine has, and what it makes of them: `docker save` in the two forms that there are."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devreg.model.wire import digest_of

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def noise(seed: str, size: int) -> bytes:
    """Bytes that no compressor makes smaller."""
    return hashlib.shake_128(seed.encode()).digest(size)


@dataclass(frozen=True)
class Image:
    """An image by the tars of its layers, from the lowest on."""

    layers: tuple[bytes, ...]

    @property
    def diff_ids(self) -> list[str]:
        return [digest_of(layer) for layer in self.layers]

    @property
    def config(self) -> bytes:
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        return json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()

    @property
    def id(self) -> str:
        """As engines with a graph driver call it: the digest of its config."""
        return digest_of(self.config)

    @property
    def blobs(self) -> dict[str, bytes]:
        """What containerd keeps of it, by digest."""
        content = [self.config, *(gzip.compress(layer, mtime=0) for layer in self.layers)]
        kept = {digest_of(each): each for each in content}
        sizes = [{"digest": digest, "size": len(each)} for digest, each in kept.items()]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": {"mediaType": OCI_CONFIG, **sizes[0]},
            "layers": [{"mediaType": OCI_LAYER, **each} for each in sizes[1:]],
        }
        body = json.dumps(manifest).encode()
        return {**kept, digest_of(body): body}

    @property
    def manifest_digest(self) -> str:
        """As engines with containerd's store call it."""
        return list(self.blobs)[-1]


def image(*seeds: str, size: int = 20_000) -> Image:
    """An image with a layer for each seed, of a file of `size` bytes."""
    return Image(tuple(tarred({f"{seed}.bin": noise(seed, size)}) for seed in seeds))


def docker_archive(images: Sequence[tuple[Image, Sequence[str]]]) -> bytes:
    """What an engine with a graph driver saves: the images, each with its names."""
    members: dict[str, bytes] = {}
    entries = []
    for each, names in images:
        layers = [f"blobs/sha256/{diff_id[7:]}" for diff_id in each.diff_ids]
        config = f"blobs/sha256/{each.id[7:]}"
        members |= {**dict(zip(layers, each.layers, strict=True)), config: each.config}
        entries.append({"Config": config, "RepoTags": list(names) or None, "Layers": layers})
    return tarred({**members, "manifest.json": json.dumps(entries).encode()})


def layout(each: Image, names: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of an OCI layout of one image."""
    digest, size = each.manifest_digest, len(each.blobs[each.manifest_digest])
    entries: list[dict[str, object]] = [
        {
            "mediaType": OCI_IMAGE,
            "digest": digest,
            "size": size,
            **({"annotations": {"io.containerd.image.name": name}} if name else {}),
        }
        for name in names or [""]
    ]
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode(),
        **{f"blobs/sha256/{digest[7:]}": content for digest, content in each.blobs.items()},
    }
