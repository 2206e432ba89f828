"""A registry, as the rest of devreg sees it (OCI distribution-spec; Docker Registry HTTP API v2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from urllib.parse import quote

import httpx

from devreg.model.content import Content
from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.manifest import ACCEPTED, DOCKER_SCHEMA1_SIGNED, Descriptor, Manifest, parse_manifest
from devreg.model.tls import Connection, Tls
from devreg.model.wire import digest_of, is_digest, json_object, same_digest, unusable
from devreg.registry import pages
from devreg.registry.download import Download
from devreg.registry.lane import Answer
from devreg.registry.probe import SpeaksHttps, check_registry
from devreg.registry.referrers import listed
from devreg.registry.retries import ONE_TRY, patiently
from devreg.registry.session import Session
from devreg.registry.upload import upload
from devreg.registry.writes import cancel, check_digest, is_lasting, not_taken, opened

MAX_CONFIG = 4 * 2**20
"""Bytes of a config blob that are read; real ones have a few kilobytes."""

_SCHEMES = {
    Tls.VERIFIED: ("https",),
    Tls.PLAIN: ("http",),
    Tls.LOOPBACK: ("https", "http"),
    Tls.INSECURE: ("https", "http"),
}


def connect(
    connection: Connection, *, credentials: Credentials | None = None, timeout: float = 30.0, user_agent: str
) -> Registry:
    """Open a registry over the first scheme that `connection.tls` allows and somebody answers. `timeout` in seconds.

    No credentials are sent before the registry asks for them. Raises RegistryUnreachable when nobody answers, or
    somebody who is no registry.
    """
    silent: list[RegistryUnreachable] = []
    for scheme in _SCHEMES[connection.tls]:
        with ExitStack() as closing:
            session = Session(connection, scheme, credentials=credentials, timeout=timeout, user_agent=user_agent)
            closing.callback(session.close)
            try:
                response = session.probe()
            except RegistryUnreachable as error:
                silent.append(error)
                continue
            try:
                check_registry(response, connection)
            except SpeaksHttps as error:
                raise (silent or [error])[-1] from None  # what hinders HTTPS is the cause then
            closing.pop_all()
            return Registry(session, challenges=response.status_code == 401)
    raise silent[-1]


class Registry:
    """An open registry. Close it, or use it as a context manager. Safe to use from several threads.

    Every method raises RegistryUnreachable, NotAuthorized or NotFound; names are sent as they are given. `challenges`:
    `GET /v2/` is answered by a challenge, where graph-driver engines look for one.
    """

    def __init__(self, session: Session, *, challenges: bool = False) -> None:
        self._session = session
        self.challenges = challenges
        self.url = str(session.origin)
        self.scheme = session.origin.scheme

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def repositories(self) -> Iterator[str]:
        """The name of every repository, page by page. Many registries keep this list to themselves."""
        return pages.names(
            self._session,
            "/v2/_catalog",
            "repositories",
            doing="list the repositories",
            hint="not every registry offers this list; name the repository: devreg tags REPOSITORY",
        )

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the registry's order, page by page; a repository may have none.

        No more than MAX_TAGS: whoever asks holds them all.
        """
        path, doing = _path(repository, "tags", "list"), f"list the tags of {repository}"
        return pages.names(self._session, path, "tags", doing=doing, most=pages.MAX_TAGS)

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest that a tag or digest stands for, checked against its digest."""
        body, media_type, digest = self.manifest_body(repository, reference)
        return parse_manifest(body, media_type=media_type, digest=digest)

    def manifest_body(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        """The bytes of a manifest, its type as the registry tells it, and its digest, against which it is checked."""
        answer = self._ask_manifest("GET", repository, reference)
        media_type = answer.headers.get("content-type", "")
        digest = _digest(answer)
        # The digest of a signed schema 1 manifest is that of its payload (image-spec v2.1): the body does not have it.
        if not media_type.startswith(DOCKER_SCHEMA1_SIGNED):
            digest = _verified(answer.body, reference if is_digest(reference) else digest)
        return answer.body, media_type, digest or ""

    def head_manifest(self, repository: str, reference: str) -> Descriptor:
        """Type, digest and size in bytes of a manifest, without reading it where the registry tells them."""
        answer = self._ask_manifest("HEAD", repository, reference)
        digest, size = _digest(answer), _size(answer)
        if digest is None or size is None:
            manifest = self.manifest(repository, reference)
            return Descriptor(manifest.media_type, manifest.digest, manifest.size)
        return Descriptor(answer.headers.get("content-type", "").partition(";")[0].strip(), digest, size)

    def config(self, repository: str, descriptor: Descriptor) -> bytes:
        """A small blob, such as an image's config, checked against its digest."""
        if descriptor.size > MAX_CONFIG:
            raise unusable(f"a config of {descriptor.size} bytes")
        path = _path(repository, "blobs", descriptor.digest)
        answer = self._session.read("GET", path, doing=f"read a config of {repository}", kind="blobs")
        _verified(answer.body, descriptor.digest)
        return answer.body

    def blob_json(self, repository: str, descriptor: Descriptor) -> dict[str, object]:
        """A small JSON blob, such as an image's config, checked against its digest."""
        return json_object(self.config(repository, descriptor), "the config")

    def read_blob(self, repository: str, descriptor: Descriptor) -> Content:
        """A blob of any size, read while it is used. A download that breaks goes on where it was."""
        return Download(self._session, repository, _path(repository, "blobs", descriptor.digest), descriptor)

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
        """What refers to a manifest: signatures, attestations, SBOMs. None where the registry has no such list."""
        return listed(self._session, _path(repository, "referrers", digest), doing=f"list what refers to {digest}")

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with every tag on it. Raises NotFound also where the registry has deleting turned off."""
        self._session.send("DELETE", _path(repository, "manifests", digest), doing=f"delete {repository}@{digest}")

    def untag(self, repository: str, tag: str) -> bool:
        """Take a tag away and leave the manifest. False where the registry deletes by digest only, as 2.8 does."""
        response = self._session.ask("DELETE", _path(repository, "manifests", tag))
        if response.status_code in (400, 405):
            return False
        if not response.is_success:
            doing, missing = f"take {repository}:{tag} away", self._what_there_is(repository)
            raise self._session.refusal(response, doing=doing, missing=missing)
        return True

    def deletes(self, repository: str) -> bool:
        """Whether the registry deletes manifests at all: what it says of one that cannot be there."""
        response = self._session.ask("DELETE", _path(repository, "manifests", f"sha256:{'0' * 64}"))
        if response.status_code in (202, 404):
            return True
        if response.status_code in (400, 405):
            return False
        raise self._session.refusal(response, doing=f"take manifests of {repository} away")

    def prove_write(self, repository: str) -> bool:
        """Open an upload in `repository` and cancel it: the one proof that the credentials may push.

        Returns whether the registry asked for credentials at all. Raises NotAuthorized if it does not accept them.
        """
        doing = f"open an upload in {repository}"
        response = self._session.send("POST", _path(repository, "blobs", "uploads") + "/", doing=doing)
        opened(response)
        cancel(self._session, response)
        return "Authorization" in response.request.headers

    def checks_password(self) -> bool:
        """Whether `/v2/` is refused without credentials, and open to the ones in use. Raises RegistryUnreachable."""
        if self._session.probe().status_code != 401:
            return False
        try:
            self._session.send("GET", "/v2/", doing="look at the API")
        except NotAuthorized:
            return False
        return True

    def has_blob(self, repository: str, digest: str) -> int | None:
        """The size of a blob in bytes; None when it is not there, or the registry does not tell how large it is."""
        try:
            response = self._session.send("HEAD", _path(repository, "blobs", digest), doing=f"look into {repository}")
        except NotFound:
            return None
        return _size(response)

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Let `repository` have a blob of the repository `source`. False where the registry does not do it.

        Raises RegistryUnreachable only: whether these credentials may write, the upload that follows finds out.
        """
        path = f"{_path(repository, 'blobs', 'uploads')}/?mount={quote(digest, safe=':')}&from={quote(source)}"
        try:
            response = patiently(lambda: self._session.ask("POST", path, retry=ONE_TRY), is_final=lambda _: False)
        except NotAuthorized:
            return False
        if response.status_code == 202:  # an upload instead, which nobody wants
            cancel(self._session, response)
        return response.status_code == 201

    def upload(
        self,
        repository: str,
        content: Content,
        *,
        begun: str | None,
        note: Callable[[str], None],
        progress: Callable[[int, str], None],
    ) -> int:
        """Send a blob and commit it. Returns the bytes that went over the wire, repetitions included.

        `begun`: the URL of an upload that an earlier run left open; it is gone on with where that is possible. `note`
        is told the URL of the open upload whenever that changes. `progress` is told how many bytes of the blob have
        been handed over, and, where something happened, what: "resumed at 12.3 MB", "waiting: 503 …".

        Goes on after broken connections, lost answers and uploads, 401, 408, 429 and 5xx, until half a dozen tries in
        a row, a minute at most, have brought nothing. Raises UploadFailed too, and what `content` does, Spent above
        all. Where bodies are limited (413), or taken in whole by a proxy, this registry gets smaller ones from then on.
        """
        return upload(self._session, repository, content, begun=begun, note=note, progress=progress)

    def put_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Store a manifest under a tag or its digest, and return the digest, which the registry has to agree on.

        Raises UploadFailed too, among other things for a manifest of blobs that the registry does not have.
        """
        doing = f"store the manifest of {repository}{_separator(reference)}{reference}"
        path, headers = _path(repository, "manifests", reference), {"Content-Type": media_type}
        response = patiently(
            lambda: self._session.ask("PUT", path, headers=headers, content=body, retry=ONE_TRY), is_final=is_lasting
        )
        if not response.is_success:
            raise not_taken(self._session, response, body, doing)
        digest = reference if is_digest(reference) else digest_of(body)
        check_digest(response, digest, body)
        return digest

    def _ask_manifest(self, method: str, repository: str, reference: str) -> Answer:
        return self._session.read(
            method,
            _path(repository, "manifests", reference),
            doing=f"read {repository}{_separator(reference)}{reference}",
            headers={"Accept": ", ".join(ACCEPTED)},
            kind="manifests",
            missing=self._what_there_is(repository),
        )

    def _what_there_is(self, repository: str) -> str:
        return f"check the name; what there is, tells devreg tags {self._session.connection.address}/{repository}"


def _path(repository: str, *rest: str) -> str:
    """`rest` may come from a registry's lists, whose JSON may have halves of characters in it: nothing is called so."""
    return "/".join(("/v2", quote(repository), *(quote(part, safe=":", errors="surrogatepass") for part in rest)))


def _separator(reference: str) -> str:
    return "@" if is_digest(reference) else ":"


def _size(response: httpx.Response | Answer) -> int | None:
    size: str = response.headers.get("content-length", "")
    return int(size[:18]) if size.isascii() and size.isdigit() else None


def _digest(response: httpx.Response | Answer) -> str | None:
    digest: str | None = response.headers.get("docker-content-digest")
    if digest is not None and not is_digest(digest):
        raise unusable("Docker-Content-Digest is not a digest")
    return digest


def _verified(body: bytes, digest: str | None) -> str:
    """`digest` if it is that of `body`, and that of `body` if there is none."""
    if digest is None:
        return digest_of(body)
    if not same_digest(body, digest):
        raise unusable(f"its content is not what {digest} promises")
    return digest
