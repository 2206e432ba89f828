"""OCI image layouts made here, byte by byte, with what real ones rarely have all at once."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.lab.wire import OCI_INDEX, OCI_MANIFEST, digest_of

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_STATEMENT = "application/vnd.in-toto+json"


@dataclass
class Layout:
    """A layout in `folder`, to which blobs are added."""

    folder: Path
    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, media_type: str, body: bytes, **more: object) -> dict[str, object]:
        """Store a blob; return its descriptor."""
        digest = digest_of(body)
        self.blobs[digest] = body
        path = self.folder / "blobs" / digest.replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return {"mediaType": media_type, "digest": digest, "size": len(body), **more}

    def add_json(self, media_type: str, document: object, **more: object) -> dict[str, object]:
        """Store a JSON blob, indented in nobody's usual way: whoever writes it anew changes its digest."""
        return self.add(media_type, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n", **more)

    def finish(self, *roots: dict[str, object]) -> None:
        """Write what makes the folder a layout. `roots` have the names in their annotations."""
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": roots}))


def multi_platform(folder: Path, name: str) -> tuple[Layout, str]:
    """Two platforms, an attestation, a shared layer; returns the layout and the digest of its index."""
    layout = Layout(folder)
    shared = tarred("shared")
    manifests = [image(layout, arch, [shared, tarred(arch)]) for arch in ("amd64", "arm64")]
    statement = layout.add_json(_STATEMENT, {"predicate": {}}, annotations={"in-toto.io/predicate-type": "x"})
    config = layout.add_json(_CONFIG, {"architecture": "unknown", "os": "unknown", "rootfs": {"diff_ids": []}})
    attestation = layout.add_json(
        OCI_MANIFEST,
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [statement]},
        platform={"architecture": "unknown", "os": "unknown"},
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    )
    index = layout.add_json(
        OCI_INDEX,
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*manifests, attestation]},
        annotations={"io.containerd.image.name": name},
    )
    layout.finish(index)
    return layout, str(index["digest"])


def incompressible(folder: Path, seed: str, *sizes: int) -> str:
    """Make an image tagged 1 with a layer of each size that nothing compresses, always the same for one seed; return
    its digest."""
    layout = Layout(folder)
    layers = [tarred(f"{seed}/{n}", size) for n, size in enumerate(sizes)]
    root = image(layout, "amd64", layers)
    layout.finish({**root, "annotations": {"org.opencontainers.image.ref.name": "1"}})
    return str(root["digest"])


def image(
    layout: Layout, arch: str, layers: list[bytes], *elsewhere: dict[str, object], **more: object
) -> dict[str, object]:
    """Add an image of one platform; `layers` are tars. `elsewhere`: layers that have URLs, on top of them."""
    diff_ids = [digest_of(layer) for layer in layers] + [str(each["digest"]) for each in elsewhere]
    config = {"architecture": arch, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {}}
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": layout.add_json(_CONFIG, config),
        "layers": [*(layout.add(_OCI_LAYER, gzip.compress(each, 6, mtime=1)) for each in layers), *elsewhere],
        "annotations": {"made": "by hand"},
    }
    return layout.add_json(OCI_MANIFEST, manifest, platform={"architecture": arch, "os": "linux"}, **more)


def tarred(name: str, size: int = 2**19) -> bytes:
    """A layer's tar, of one file of so many bytes."""
    data, layer = hashlib.shake_128(name.encode()).digest(size), io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return layer.getvalue()
