"""The tour's image: made, pushed, and read back without a password, by an engine or without any."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from devreg.actions import push
from devreg.actions.naming import Names
from devreg.actions.push_route import Via
from devreg.actions.reach import USER_AGENT, connection_to, open_engine
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host.state import Record
from devreg.model.address import Address
from devreg.model.errors import ServerError
from devreg.model.events import Listener, Step
from devreg.model.manifest import OCI_IMAGE
from devreg.model.oci_layout import INDEX, path
from devreg.model.platforms import of_machine
from devreg.model.reference import Destination, Reference
from devreg.model.results import StepResult
from devreg.registry.client import connect

IMAGE = Reference("devreg-hello", tag="1")
# What goes on record, under these names.
IMAGES, PUSHED = "images", "pushed"

_HELLO = "This image came out of your own registry.\n"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def by_engine(
    engine: Engine, address: Address, record: Record, listener: Listener, *, timeout: float
) -> list[StepResult]:
    """Have the engine make, push and pull the image. It holds the image afterwards as one that was pulled."""
    name = IMAGE.at(address)
    record.note(IMAGES, [str(IMAGE), str(name)])
    listener(Step(f"making the image {IMAGE}"))
    images.import_rootfs(engine, io.BytesIO(_rootfs()), str(IMAGE))
    digest = _push(str(IMAGE), address, "engine", record, listener, timeout=timeout)
    for local in (str(IMAGE), str(name)):
        images.remove(engine, local)
    listener(Step(f"pulling {name} without a password"))
    pulled = images.pull(engine, name, None, listener)
    return _steps(name, digest, pulled.digest)


def by_layout(address: Address, record: Record, listener: Listener, *, timeout: float) -> list[StepResult]:
    """Write the image as an OCI layout, push that directly, and read all of it back."""
    name = IMAGE.at(address)
    with tempfile.TemporaryDirectory(prefix="devreg-hello-") as folder:
        listener(Step(f"making the image {IMAGE}"))
        _write_layout(Path(folder))
        digest = _push(folder, address, "direct", record, listener, timeout=timeout)
    listener(Step(f"reading {name} back without a password"))
    with connect(connection_to(address), timeout=timeout, user_agent=USER_AGENT) as registry:
        manifest = registry.manifest(name.repository, name.version)
        for blob in (*([manifest.config] if manifest.config else []), *manifest.layers):
            for _ in registry.read_blob(name.repository, blob).read(0):
                pass  # compares what it reads with the digest
    return _steps(name, digest, manifest.digest)


def _push(image: str, address: Address, via: Via, record: Record, listener: Listener, *, timeout: float) -> str:
    """Push what `image` stands for; gives the digest, which is on record then."""
    named = Names(Destination(address), Destination(address), name=str(IMAGE))
    done = push.push(push.Wanted((image,), named, via=via, timeout=timeout), listener=listener, engine=open_engine)
    for _, error in done.failed:
        raise error
    digest = done.pushed[0].digest
    record.note(PUSHED, [str(address), IMAGE.repository, digest])
    return digest


def _steps(name: Reference, pushed: str, pulled: str | None) -> list[StepResult]:
    if pulled != pushed:
        raise ServerError(f"pulled {pulled} where {pushed} was pushed", hint="`devreg registry logs` may say more")
    return [
        StepResult("push", "changed", f"{name.name}@{pushed}"),
        StepResult("pull", "changed", "the same digest, without a password"),
    ]


def _rootfs() -> bytes:
    """A file system of one file, as a tar: enough of an image to push."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("hello.txt")
        member.size = len(_HELLO)
        archive.addfile(member, io.BytesIO(_HELLO.encode()))
    return buffer.getvalue()


def _write_layout(folder: Path) -> None:
    """An OCI image layout with the image in it."""
    layer = _rootfs()
    system, architecture = of_machine(platform.machine()).split("/")[:2]
    config = {
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "architecture": architecture,
        "os": system,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": _blob(folder, _CONFIG, json.dumps(config).encode()),
        "layers": [_blob(folder, _LAYER, layer)],
    }
    root = _blob(folder, OCI_IMAGE, json.dumps(manifest).encode())
    (folder / INDEX).write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _blob(folder: Path, media_type: str, body: bytes) -> dict[str, object]:
    file = folder / path(_digest(body))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return {"mediaType": media_type, "digest": _digest(body), "size": len(body)}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
