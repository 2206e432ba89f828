"""The upload of one blob, through whatever happens on the way (OCI distribution-spec, "Pushing blobs").

POST opens an upload, one PATCH sends all of the content as a stream, PUT commits it. After a fault the registry is
asked what it has, and the rest is sent from there. Registries differ in what they keep of a stream that broke:
distribution 2 throws the whole upload away (measured: GET answers 404 and cancels it), distribution 3 keeps each byte,
and behind a proxy that takes requests in whole (nginx by default) they never saw any of it: there only smaller requests
get further.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from urllib.parse import quote

import httpx

from devreg.model.content import Content
from devreg.model.errors import RegistryUnreachable
from devreg.model.wire import unusable
from devreg.registry.bodies import TYPE, bodies, length, pieces, span
from devreg.registry.origin import at_origin
from devreg.registry.refusals import described
from devreg.registry.retries import ONE_TRY, PASSING, Patience, passes
from devreg.registry.session import Challenged, Session
from devreg.registry.writes import acknowledged, cancel, check_digest, opened, refused

SMALL = 1_000_000
"""Bytes that every proxy lets through: nginx' limit, where nobody has set it, is 1 MiB."""

BUFFERED = 8 * 2**20
"""Bytes of one request where a proxy takes requests in whole: so many are lost when the connection breaks."""

DOUBTFUL = 3
"""Errors 500 of one upload, without progress between them, after which it is begun anew. A registry that was killed
while it completed an upload may never get over it (measured: distribution 2.8 with S3)."""

_LOST = (404, 416)  # the upload is not there any more, or at another offset
Progress = Callable[[int, str], None]


def upload(
    session: Session,
    repository: str,
    content: Content,
    *,
    begun: str | None,
    note: Callable[[str], None],
    progress: Progress,
) -> int:
    """Put a blob into a repository: see Registry.upload."""
    return _Upload(session, repository, content, begun, note, progress).run()


class _Broken(Exception):
    """A request failed in a way that another try may mend."""

    def __init__(self, why: httpx.Response | RegistryUnreachable) -> None:
        super().__init__()
        self.why = why


class _Upload:
    """One blob on its way. `_begun`: an upload of an earlier run, as long as it may be of use; `_url`: the open one.

    `_offset`: the bytes that the registry has acknowledged; `_handed`: how far the content was given to the socket;
    `_reached`: the most that were ever acknowledged. `_errors`: answers of 500 since that was reached.
    """

    def __init__(
        self,
        session: Session,
        repository: str,
        content: Content,
        begun: str | None,
        note: Callable[[str], None],
        progress: Progress,
    ) -> None:
        self._session = session
        self._blobs = f"/v2/{quote(repository)}/blobs/"
        self._doing = f"upload to {repository}"
        self._content = content
        self._note = note
        self._progress = progress
        self._patience = Patience()
        self._begun = _at(session, begun)
        self._url: httpx.URL | None = None
        self._offset = self._handed = self._reached = self._sent = self._errors = 0
        self._is_whole = self._resumed = self._mistrusted = False

    def run(self) -> int:
        """Returns the bytes sent, repetitions included."""
        size = self._content.size
        is_small = self._content.digest is not None and size is not None and size <= SMALL
        doubt = False
        while True:
            try:
                if not (doubt and self._is_there()):
                    self._at_once() if is_small else self._in_a_stream()
                return self._sent
            except _Broken as broken:
                self._wait(broken.why)
                self._give_up_a_doubtful_one(broken.why)
                doubt = True

    def _at_once(self) -> None:
        response = self._opened()
        body = b"".join(self._content.read(0))
        self._sent += len(body)
        self._commit(self._session.follow(response, opened(response)), body)
        self._progress(len(body), "")

    def _in_a_stream(self) -> None:
        url = self._take_up()
        while self._offset != self._content.size:
            before = self._handed = self._offset
            self._resumed = self._resumed or before > 0
            url = self._send_rest(url)
            if self._offset == before and self._offset != self._content.size:
                raise _Broken(unusable(f"it has {before} of {self._content.size} bytes after all were sent"))
        self._commit(url, b"")

    # What the registry has

    def _is_there(self) -> bool:
        """Whether the blob is complete in spite of a fault: the registry had committed it, and its answer was lost."""
        digest = self._content.digest
        return digest is not None and self._ask("HEAD", self._blobs + quote(digest, safe=":")).is_success

    def _take_up(self) -> httpx.URL:
        """The URL to go on at: that of the upload that broke, else of one from an earlier run, else of a new one.

        A new one is opened also for the sake of an earlier one: registries that are open for reading ask for
        credentials at a write only, and to find that out must not cost a whole stream.
        """
        if self._url is not None and (url := self._found(self._url)):
            return url
        response = self._opened()
        if self._begun is not None and (url := self._found(self._begun)):
            cancel(self._session, response)
            return url
        self._begun, self._resumed = None, False
        return self._note_down(self._session.follow(response, opened(response)), 0)

    def _opened(self) -> httpx.Response:
        response = self._ask("POST", f"{self._blobs}uploads/")
        if not response.is_success:
            raise refused(self._session, response, self._doing)
        return response

    def _found(self, url: httpx.URL) -> httpx.URL | None:
        """Ask how much the registry has of an upload. None where there is nothing to go on with."""
        response = self._ask("GET", url)
        offset, size = acknowledged(response) or 0, self._content.size  # `0-0` is none or one (measured): rather anew
        if response.is_success and offset <= self._offset < self._handed - BUFFERED:
            self._session.largest_body = self._session.largest_body or BUFFERED
        if not response.is_success or offset == 0 or (size is not None and offset > size):
            return None
        self._progress(offset, f"resumed at {offset / 1e6:.1f} MB")
        return self._note_down(self._location(response, url), offset)

    def _note_down(self, url: httpx.URL, offset: int) -> httpx.URL:
        if url != self._url:
            self._note(str(url))
        if offset > self._reached:
            self._patience.renew()
            self._errors = 0
        self._url, self._offset, self._reached = url, offset, max(offset, self._reached)
        return url

    # Sending

    def _send_rest(self, url: httpx.URL) -> httpx.URL:
        """Send from the offset to the end, or as far as the registry follows. Returns where to go on."""
        largest = self._session.largest_body
        if largest is None:
            with closing(self._stream()) as stream:
                response = self._patch(url, stream, length(self._offset, self._content.size), largest)
            if not self._is_whole:  # an answer that came before all was sent: what it counts is not clear
                raise _Broken(response)
            return self._taken(url, response)
        for body in bodies(self._content.read(self._offset), largest):
            self._count(sum(map(len, body)))
            url = self._taken(url, self._patch(url, body, span(self._offset, self._handed), largest))
            if self._offset != self._handed:
                break
        return url

    def _stream(self) -> Generator[bytes, None, None]:
        self._is_whole = False
        for piece in pieces(self._content.read(self._offset)):
            yield piece
            self._count(len(piece))
        self._is_whole = True

    def _count(self, amount: int) -> None:
        self._sent += amount
        self._handed += amount
        self._progress(self._handed, "")

    def _patch(
        self, url: httpx.URL, body: Iterable[bytes], headers: Mapping[str, str], largest: int | None
    ) -> httpx.Response:
        response = self._ask("PATCH", url, content=body, headers=headers)
        status = response.status_code
        if status == 413 and largest != SMALL:
            self._session.largest_body = SMALL
            raise _Broken(response)
        if status in _LOST:
            raise _Broken(response)
        if not response.is_success:
            raise refused(self._session, response, self._doing)
        return response

    def _taken(self, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        offset = min(acknowledged(response) or self._handed, self._handed)
        return self._note_down(self._location(response, url), offset)

    def _commit(self, url: httpx.URL, body: bytes) -> None:
        digest = self._content.digest
        if digest is None:
            raise AssertionError("content that was read to its end has a digest")
        target = url.copy_with(raw_path=url.raw_path + (b"&" if url.query else b"?") + f"digest={digest}".encode())
        response = self._ask("PUT", target, content=body, headers=TYPE)
        if response.status_code in _LOST:
            raise _Broken(response)
        if response.status_code == 400 and self._resumed and not self._mistrusted:
            self._url, self._begun, self._mistrusted = None, None, True
            raise _Broken(response)  # what it had of an earlier try was something else
        if response.status_code != 201 and not (response.is_success and self._is_there()):
            raise refused(self._session, response, self._doing)
        check_digest(response, digest)

    # Faults

    def _ask(
        self,
        method: str,
        target: str | httpx.URL,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One try. Raises _Broken where another one may help."""
        try:
            response = self._session.ask(method, target, headers=headers, content=content, retry=ONE_TRY)
        except Challenged as challenged:
            raise _Broken(challenged.response) from None
        except RegistryUnreachable as error:
            if isinstance(error.__cause__, PASSING):
                raise _Broken(error) from None
            raise
        if passes(response):
            raise _Broken(response)
        return response

    def _wait(self, why: httpx.Response | RegistryUnreachable) -> None:
        response = why if isinstance(why, httpx.Response) else None
        words = described(why) if isinstance(why, httpx.Response) else why.message
        self._progress(self._offset, f"waiting: {words}")
        if not self._patience.wait(response):
            raise refused(self._session, why, self._doing) if isinstance(why, httpx.Response) else why

    def _give_up_a_doubtful_one(self, why: httpx.Response | RegistryUnreachable) -> None:
        self._errors += isinstance(why, httpx.Response) and why.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        if self._errors >= DOUBTFUL:
            self._url, self._begun, self._errors = None, None, 0

    def _location(self, response: httpx.Response, otherwise: httpx.URL) -> httpx.URL:
        location = response.headers.get("Location")
        return self._session.follow(response, location) if location else otherwise


def _at(session: Session, begun: str | None) -> httpx.URL | None:
    """The URL of an earlier upload; None also for a text that is no URL, from wherever it was kept."""
    with suppress(RegistryUnreachable):
        return at_origin(session.origin, session.origin, begun) if begun else None
    return None
