"""A registry with a small team's images in it: versions that share layers, several platforms, an artifact."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.live.lab.wire import OCI_INDEX, OCI_MANIFEST, Wire, digest_of

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MEGABYTE = 1_000_000

Layer = tuple[str, float]
"""The instruction that made a layer, and its size in megabytes. The same instruction makes the same layer."""

BASE: Layer = ("ADD rootfs.tar.xz /", 9.2)
PYTHON: Layer = ("RUN apt-get install -y --no-install-recommends python3", 6.4)
DEPENDENCIES: Layer = ("RUN pip install --no-cache-dir -r requirements.txt", 4.1)
NEWER_DEPENDENCIES: Layer = ("RUN pip install --no-cache-dir -r requirements.txt # 2", 4.6)


def fill(registry: Wire) -> None:
    """Put everything there."""
    app = Repository(registry, "team/app")
    for version, days, lower in (
        ("1.8.2", 190, DEPENDENCIES),
        ("1.9.0", 95, DEPENDENCIES),
        ("1.10.0", 20, NEWER_DEPENDENCIES),
        ("1.11.0-rc.1", 2, NEWER_DEPENDENCIES),
    ):
        tags = [version, *(("1.10", "latest") if version == "1.10.0" else ())]
        app.tag(app.index([BASE, PYTHON, lower, (f"COPY app-{version} /app", 1.3)], days), *tags)
    jobs = Repository(registry, "team/jobs")
    jobs.tag(jobs.image("amd64", [BASE, ("COPY jobs /usr/bin/", 2.7)], 40), "2024.3", "stable")
    tools = Repository(registry, "tools/builder")
    tools.tag(tools.image("amd64", [BASE, ("RUN apt-get install -y build-essential", 21.9)], 400), "12")


class Repository:
    """A repository that is being filled."""

    def __init__(self, registry: Wire, name: str) -> None:
        self._registry = registry
        self._name = name

    def image(self, arch: str, layers: Sequence[Layer], days: int) -> bytes:
        """Store an image that was made so many days ago; its manifest."""
        tars = [_tar(f"{arch} {instruction}", int(size * _MEGABYTE)) for instruction, size in layers]
        made = f"{datetime.now(timezone.utc) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        config = {
            "created": made,
            "os": "linux",
            "architecture": arch,
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"],
                "Entrypoint": ["/app/serve"],
                "User": "app",
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": {"org.opencontainers.image.source": "https://git.example.com/team/app"},
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            "history": [{"created": made, "created_by": instruction} for instruction, _ in layers],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._blob(_CONFIG, json.dumps(config).encode()),
            "layers": [self._blob(_LAYER, gzip.compress(tar, 1, mtime=0)) for tar in tars],
        }
        return json.dumps(manifest).encode()

    def index(self, layers: Sequence[Layer], days: int) -> bytes:
        """Store an image for two platforms; its index."""
        entries: list[dict[str, Any]] = []
        for arch in ("amd64", "arm64"):
            manifest = self.image(arch, layers, days)
            digest = self._registry.put_manifest(self._name, digest_of(manifest), manifest, OCI_MANIFEST)
            platform = {"os": "linux", "architecture": arch}
            entries.append({"mediaType": OCI_MANIFEST, "size": len(manifest), "digest": digest, "platform": platform})
        return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()

    def tag(self, manifest: bytes, *tags: str) -> None:
        """Give a manifest its tags."""
        media_type = OCI_INDEX if b'"manifests"' in manifest else OCI_MANIFEST
        for tag in tags:
            self._registry.put_manifest(self._name, tag, manifest, media_type)

    def _blob(self, media_type: str, content: bytes) -> dict[str, object]:
        return {"mediaType": media_type, **self._registry.put_blob(self._name, content)}


def _tar(seed: str, size: int) -> bytes:
    """A layer of one file that does not get smaller by compression."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("content")
        entry.size = size
        tar.addfile(entry, io.BytesIO(hashlib.shake_128(seed.encode()).digest(size)))
    return layer.getvalue()
