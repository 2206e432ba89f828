"""A registry's HTTP as it goes over the wire: no client in between that follows, retries, or merges headers."""

import base64
import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "Docker-Distribution-Api-Version"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Answer:
    """One answer, with every header line that came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header, in the order in which they came."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """The value of a header that has to be there once."""
        (value,) = self.all(name)
        return value

    @property
    def document(self) -> Any:
        """The body, which has to be JSON."""
        return json.loads(self.body)


def basic(user: str, password: str) -> dict[str, str]:
    """The header that sends a password."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def digest_of(data: bytes) -> str:
    """The digest by which a registry knows these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Wire:
    """Plain HTTP requests to `address`, with `headers` on each."""

    address: str
    headers: Mapping[str, str] | None = None

    def __call__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own. An iterable body goes in chunks, of no announced length."""
        line = http.client.HTTPConnection(self.address, timeout=120)
        sent = {**(self.headers or {}), **(headers or {})}
        try:
            line.request(method, path, body=body, headers=sent)
            answer = line.getresponse()
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            line.close()

    def begin_upload(self, repository: str) -> str:
        """Begin an upload; return the path at which it goes on."""
        begun = self("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status == 202, begun
        return begun.one("Location").removeprefix(f"http://{self.address}")

    def put_blob(self, repository: str, data: bytes) -> dict[str, object]:
        """Upload a blob; return its size and digest as a manifest names them."""
        location, digest = self.begin_upload(repository), digest_of(data)
        done = self("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", body=data)
        assert done.status == 201, done
        return {"size": len(data), "digest": digest}

    def put_manifest(self, repository: str, tag: str, manifest: bytes, media_type: str = MANIFEST) -> str:
        """Put a manifest under a tag; return its digest."""
        done = self("PUT", f"/v2/{repository}/manifests/{tag}", {"Content-Type": media_type}, manifest)
        assert done.status == 201, done
        return done.one("Docker-Content-Digest")

    def push(self, repository: str, tag: str, layer: bytes) -> str:
        """Push an image of one layer; return its digest."""
        return self.put_manifest(repository, tag, self.image(repository, "2024-01-02T03:04:05Z", [layer]))

    def pulled(self, repository: str, tag: str) -> str:
        """The digest of an image whose every part is there and right."""
        got = self("GET", f"/v2/{repository}/manifests/{tag}", {"Accept": MANIFEST})
        assert got.status == 200, got
        for each in (got.document["config"], *got.document["layers"]):
            assert digest_of(self("GET", f"/v2/{repository}/blobs/{each['digest']}").body) == each["digest"]
        return digest_of(got.body)

    def image(self, repository: str, created: str, layers: Iterable[bytes], arch: str = "amd64") -> bytes:
        """Upload all of an image but its manifest; return that."""
        blobs = [{"mediaType": LAYER, **self.put_blob(repository, layer)} for layer in layers]
        config = {"created": created, "os": "linux", "architecture": arch, "rootfs": {"type": "layers", "diff_ids": []}}
        described = {"mediaType": CONFIG, **self.put_blob(repository, json.dumps(config).encode())}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": blobs}
        return json.dumps(manifest).encode()

    def manifest(self, repository: str, version: str) -> Answer:
        """Get a manifest of whatever type."""
        accepted = ", ".join((MANIFEST, INDEX, OCI_MANIFEST, OCI_INDEX))
        return self("GET", f"/v2/{repository}/manifests/{version}", {"Accept": accepted})
