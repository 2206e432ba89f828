"""The way of one blob to a registry, and what may happen to it there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import formatdate
from threading import Event
from time import time

import pytest
import trustme

from devreg.model.content import Spent
from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, RegistryUnreachable, UploadFailed
from devreg.model.tls import Tls
from devreg.registry import upload as upload_module
from devreg.registry.client import Registry
from devreg.registry.retries import WRITING
from tests.http.server import (
    Answer,
    Asked,
    Blobs,
    Open,
    Script,
    ScriptedServer,
    Serve,
    basic,
    error_answer,
    json_answer,
    server_context,
)

DATA = hashlib.shake_128(b"app").digest(1_500_000)
UPLOADS = "/v2/team/app/blobs/uploads/"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Bytes:
    """Content that is known from the start, in odd blocks; `reads` are the offsets from which it was read."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.digest: str | None = digest_of(data)
        self.size: int | None = len(data)
        self.reads: list[int] = []

    def read(self, offset: int) -> Iterator[bytes]:
        self.reads.append(offset)
        for start in range(offset, len(self.data), 77_777):
            yield self.data[start : start + 77_777]


class Made(Bytes):
    """Content whose digest and size are known at its end only; with `once`, it can be read only once."""

    def __init__(self, data: bytes = DATA, *, once: bool = False) -> None:
        super().__init__(data)
        self.digest = self.size = None
        self.once = once

    def read(self, offset: int) -> Iterator[bytes]:
        if self.once and self.reads:
            raise Spent
        yield from super().read(offset)
        self.digest, self.size = digest_of(self.data), len(self.data)


class Heard:
    """What an upload told."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.progress: list[tuple[int, str]] = []

    @property
    def words(self) -> list[str]:
        return [words for _, words in self.progress if words]


def push(registry: Registry, content: Bytes, begun: str | None = None, heard: Heard | None = None) -> int:
    heard = heard or Heard()
    return registry.upload(
        "team/app",
        content,
        begun=begun,
        note=heard.urls.append,
        progress=lambda sent, words: heard.progress.append((sent, words)),
    )


def methods(server: ScriptedServer) -> str:
    return " ".join(asked.method for asked in server.asked[1:])


def first(method: str, *answers: Answer | Script, then: Script) -> Script:
    """These answers to the first requests of a method, then the script's."""
    left = iter(answers)

    def script(asked: Asked) -> Answer:
        answer = next(left, then) if asked.method == method else then
        return answer(asked) if callable(answer) else answer

    return script


def lost(blobs: Blobs) -> Script:
    """The registry does what it is asked, and its answer is lost."""

    def script(asked: Asked) -> Answer:
        blobs(asked)
        return Answer(reset=True)

    return script


def cut_after(server: ScriptedServer, blobs: Blobs, *lengths: int) -> None:
    """Reset the first PATCHes after so many bytes of their bodies; the registry keeps those."""
    left, now = iter(lengths), [False]

    def reads(method: str) -> int | None:
        length = next(left, None) if method == "PATCH" else None
        now[0] = length is not None
        return length

    def script(asked: Asked) -> Answer:
        if asked.target == "/v2/":
            return json_answer({})
        answer = blobs(asked)
        return Answer(reset=True) if not asked.whole else answer

    server.reads, server.script = reads, script


# Nothing happens


def test_one_stream(serve: Serve, opened: Open) -> None:
    blobs, heard = Blobs(), Heard()
    server = serve(blobs)
    assert push(opened(server), Bytes(), heard=heard) == len(DATA)
    assert blobs.blobs == {digest_of(DATA): DATA}
    begin, patch, put = server.asked[1:]
    assert begin.line == f"POST {UPLOADS}"
    assert patch.line == f"PATCH {UPLOADS}0?_state=a%2Bb~0"
    assert patch.headers["content-length"] == str(len(DATA))
    assert patch.headers["content-type"] == "application/octet-stream"
    assert "content-range" not in patch.headers
    assert put.line == f"PUT {UPLOADS}0?_state=a%2Bb~{len(DATA)}&digest={digest_of(DATA)}"
    assert heard.urls == [f"{server.url}{UPLOADS}0?_state=a%2Bb~{size}" for size in (0, len(DATA))]
    assert heard.words == []
    assert [sent for sent, _ in heard.progress] == [*range(77_777, len(DATA), 77_777), len(DATA)]


def test_a_stream_of_unknown_length(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(blobs)
    assert push(opened(server), Made()) == len(DATA)
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert server.asked[2].headers["transfer-encoding"] == "chunked"
    assert "content-length" not in server.asked[2].headers


@pytest.mark.parametrize("size", [0, 1, 1000, upload_module.SMALL])
def test_a_small_blob_goes_with_the_commit(serve: Serve, opened: Open, size: int) -> None:
    blobs, data = Blobs(), DATA[:size]
    server = serve(blobs)
    assert push(opened(server), Bytes(data)) == size
    assert methods(server) == "POST PUT"
    assert blobs.blobs == {digest_of(data): data}


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_a_small_blob_of_unknown_size(serve: Serve, opened: Open, size: int) -> None:
    blobs, data = Blobs(), DATA[:size]
    assert push(opened(serve(blobs)), Made(data)) == size
    assert blobs.blobs == {digest_of(data): data}


@pytest.mark.parametrize(
    "location",
    [
        lambda path: f"http://other.example:81{path}",
        lambda path: f"https://127.0.0.1{path}",
        lambda path: f"//elsewhere{path}",
        lambda path: path.removeprefix("/v2/team/app/blobs/uploads/"),
    ],
)
def test_a_location_of_another_spelling(serve: Serve, opened: Open, location: Callable[[str], str]) -> None:
    blobs = Blobs(location)
    assert push(opened(serve(blobs)), Bytes()) == len(DATA)
    assert blobs.blobs == {digest_of(DATA): DATA}


def test_many_blobs_at_once(serve: Serve, opened: Open) -> None:
    blobs, contents = Blobs(), [DATA[n:] for n in range(12)]
    registry = opened(serve(blobs))
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lambda data: push(registry, Bytes(data)), contents)) == sum(map(len, contents))
    assert set(blobs.blobs.values()) == set(contents)


# Connections break


OFFSETS = sorted(
    {0, 1, 2, 3, 1000, 65_535, 65_536, 77_777, 262_144, 1_499_998, 1_499_999, *range(50_000, 1_500_000, 90_001)}
)


@pytest.mark.parametrize("content", [Bytes, Made])
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_connection_that_is_reset(
    serve: Serve, opened: Open, offset: int, content: Callable[[], Bytes], pauses: list[float]
) -> None:
    blobs, heard, made = Blobs(), Heard(), content()
    server = serve(blobs)
    cut_after(server, blobs, offset)
    sent = push(opened(server), made, heard=heard)
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert made.reads == [0, offset if offset > 1 else 0]  # 0-0 is said of none and of one
    assert len(DATA) <= sent + min(offset, 1)
    assert len(pauses) == 1
    assert heard.words[0].startswith("waiting: http://127.0.0.1")
    assert heard.words[1:] == ([f"resumed at {offset / 1e6:.1f} MB"] if offset > 1 else [])


@pytest.mark.usefixtures("known_authority")
@pytest.mark.parametrize("offset", [0, 1, 65_536, 700_000, 1_499_999])
def test_a_connection_that_is_reset_under_tls(
    serve: Serve, opened: Open, authority: trustme.CA, offset: int, pauses: list[float]
) -> None:
    blobs, made = Blobs(), Made()
    server = serve(blobs, server_context(authority))
    cut_after(server, blobs, offset)
    push(opened(server, tls=Tls.VERIFIED), made)
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert (made.reads, len(pauses)) == ([0, offset if offset > 1 else 0], 1)


def test_as_many_breaks_as_there_is_progress(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, *[50_000] * 25)
    push(opened(server), Bytes())
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert len(pauses) == 25
    assert max(pauses) <= 1


def test_breaks_without_progress_end(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, *[0] * 100)
    with pytest.raises(RegistryUnreachable, match="broke off"):
        push(opened(server), Bytes())
    assert methods(server).count("PATCH") == len(pauses) + 1 == WRITING.total + 1
    assert sum(pauses) <= 60
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("content", [Bytes, Made])
def test_an_answer_that_is_lost(serve: Serve, opened: Open, method: str, content: Callable[[], Bytes]) -> None:
    blobs = Blobs()
    server = serve(first(method, lost(blobs), then=blobs))
    assert push(opened(server), content()) == len(DATA)
    assert blobs.blobs == {digest_of(DATA): DATA}
    known = "HEAD "
    assert (
        methods(server)
        == {
            "POST": f"POST {known if content is Bytes else ''}POST PATCH PUT",
            "PATCH": f"POST PATCH {known}GET PUT",
            "PUT": f"POST PATCH PUT {known}".strip(),
        }[method]
    )


def test_an_answer_to_a_small_blob_that_is_lost(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(first("PUT", lost(blobs), then=blobs))
    push(opened(server), Bytes(b"config"))
    assert methods(server) == "POST PUT HEAD"
    assert blobs.blobs == {digest_of(b"config"): b"config"}


def test_a_registry_that_is_away_for_some_seconds(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, slept = Blobs(), []
    with ScriptedServer(json_answer({}, Connection="close")) as server:
        registry = opened(server)
    with ExitStack() as back:

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 4:
                back.enter_context(ScriptedServer(blobs, port=server.port))

        monkeypatch.setattr("httpx_retries.retry.time.sleep", sleep)
        push(registry, Bytes())
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert len(slept) == 4


def test_a_server_that_takes_nothing_in(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs, over = Blobs(), Event()
    server = serve(blobs)

    def reads(method: str) -> int | None:
        if method == "PATCH":
            over.wait(30)
        return None

    server.reads = reads
    registry = opened(server, timeout=0.2)
    with pytest.raises(RegistryUnreachable, match="took too long"):
        push(registry, Bytes(DATA * 10))
    over.set()
    assert len(pauses) == WRITING.total


def test_an_answer_may_take_longer_than_the_timeout(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()

    def script(asked: Asked) -> Answer:
        if asked.method in ("PATCH", "PUT"):
            Event().wait(0.5)
        return blobs(asked)

    push(opened(serve(script), timeout=0.2), Bytes())
    assert (list(blobs.blobs), pauses) == ([digest_of(DATA)], [])


# Faults that pass


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_fault_that_passes(serve: Serve, opened: Open, method: str, status: int, pauses: list[float]) -> None:
    blobs, heard = Blobs(), Heard()
    server = serve(first(method, error_answer(status, "X"), then=blobs))
    push(opened(server), Bytes(), heard=heard)
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert len(pauses) == 1
    assert heard.words[0].startswith(f"waiting: {status} ")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_fault_while_asking_after_a_fault(serve: Serve, opened: Open, method: str, pauses: list[float]) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, 700_000)
    registry, content = opened(server), Bytes()
    server.script = first(method, Answer(502), Answer(reset=True), then=server.script)
    push(registry, content)
    assert (content.reads, len(pauses)) == ([0, 700_000], 3)


def test_retry_after(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()
    date = formatdate(time() + 20, usegmt=True)
    busy = [error_answer(429, "TOOMANYREQUESTS", Retry_After=after) for after in ("7", date, "soon")]
    push(opened(serve(first("PATCH", *busy, then=blobs))), Bytes())
    assert pauses[0] == 7
    assert 10 < pauses[1] <= 20
    assert 0 < pauses[2] <= 4


@pytest.mark.parametrize("after", ["3600", "9" * 400, formatdate(time() + 86_400, usegmt=True)])
def test_a_registry_that_wants_to_be_left_alone(serve: Serve, opened: Open, after: str, pauses: list[float]) -> None:
    server = serve(first("PATCH", error_answer(429, "TOOMANYREQUESTS", "enough", Retry_After=after), then=Blobs()))
    with pytest.raises(UploadFailed, match=f"429 .*enough.*Retry-After: {after[:100]}"):
        push(opened(server), Bytes())
    assert (methods(server), pauses) == ("POST PATCH", [])


@pytest.mark.parametrize(("status", "hint"), [(507, "make room"), (503, "log"), (429, "limits how often")])
def test_a_fault_that_does_not_pass(serve: Serve, opened: Open, status: int, hint: str, pauses: list[float]) -> None:
    blobs = Blobs()
    server = serve(first("PATCH", *[error_answer(status, "FULL", "no space left")] * 50, then=blobs))
    with pytest.raises(UploadFailed, match=f"{status} .*no space left") as caught:
        push(opened(server), Bytes())
    assert hint in caught.value.hint
    assert len(pauses) == WRITING.total


# What distribution 2.8 answers (measured): a PATCH, a POST.
FULL = (
    "write /var/lib/registry/docker/registry/v2/repositories/a/_uploads/1/data: no space left on device",
    {
        "DriverName": "filesystem",
        "Enclosed": {"Op": "write", "Path": "/var/lib/registry/startedat", "Err": 28},
    },
)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("detail", FULL)
def test_a_full_disk_is_told_at_once(
    serve: Serve, opened: Open, method: str, detail: object, pauses: list[float]
) -> None:
    answer = {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]}
    server = serve(first(method, json_answer(answer, 500), then=Blobs()))
    with pytest.raises(UploadFailed, match=r"500 .*its disk is full") as caught:
        push(opened(server), Bytes())
    assert "make room" in caught.value.hint
    assert pauses == []


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_an_upload_that_the_registry_never_gets_over_begins_again(
    serve: Serve, opened: Open, method: str, pauses: list[float]
) -> None:
    """As distribution 2.8 has it with S3, when it was killed while it completed the upload."""
    blobs = Blobs()

    def script(asked: Asked) -> Answer:
        if asked.path == f"{UPLOADS}0" and asked.method in (method, "PUT"):
            return error_answer(500, "UNKNOWN", "unknown error")
        return blobs(asked)

    server = serve(script)
    push(opened(server), Bytes())
    assert blobs.blobs == {digest_of(DATA): DATA}
    assert len([asked for asked in server.asked if asked.line == f"POST {UPLOADS}"]) == 2
    assert len(pauses) == upload_module.DOUBTFUL


# What the registry says of an upload


def test_a_lost_upload_begins_again(serve: Serve, opened: Open) -> None:
    blobs = Blobs()

    def forget(_: Asked) -> Answer:
        blobs.uploads.clear()
        return error_answer(404, "BLOB_UPLOAD_UNKNOWN")

    content = Bytes()
    server = serve(first("PATCH", forget, then=blobs))
    push(opened(server), content)
    assert methods(server) == "POST PATCH HEAD GET POST PATCH PUT"
    assert (content.reads, list(blobs.blobs)) == ([0, 0], [digest_of(DATA)])


def test_a_lost_upload_of_content_that_is_spent(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, 0)
    with pytest.raises(Spent):
        push(opened(server), Made(once=True))


def test_another_offset_than_it_thought(serve: Serve, opened: Open) -> None:
    """After 416 the registry's word counts: here it has lost what it had acknowledged."""
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, 900_000)

    def shrink(asked: Asked) -> Answer:
        answer = blobs(asked)
        del next(iter(blobs.uploads.values()))[600_000:]
        return answer

    registry, content = opened(server), Bytes()
    server.script = first("GET", shrink, then=server.script)
    push(registry, content)
    assert content.reads == [0, 900_000, 600_000]
    assert list(blobs.blobs) == [digest_of(DATA)]


def test_less_than_was_sent(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()

    def short(asked: Asked) -> Answer:
        return blobs(Asked(asked.method, asked.target, asked.headers, asked.body[:400_000]))

    content = Bytes()
    server = serve(first("PATCH", short, short, then=blobs))
    push(opened(server), content)
    assert content.reads == [0, 400_000, 800_000]
    assert server.asked[3].headers["content-range"] == f"400000-{len(DATA) - 1}"
    assert server.asked[3].headers["content-length"] == str(len(DATA) - 400_000)
    assert (list(blobs.blobs), pauses) == ([digest_of(DATA)], [])


@pytest.mark.parametrize("range_", ["0-99999999", "bytes=0-1499999", "0-0", "", "nonsense", "5-3", f"0-{'9' * 300}"])
def test_an_odd_range_for_what_was_taken_whole(serve: Serve, opened: Open, range_: str) -> None:
    blobs = Blobs()

    def odd(asked: Asked) -> Answer:
        answer = blobs(asked)
        headers = {**answer.headers, "Range": range_}
        return Answer(answer.status, headers=headers)

    server = serve(first("PATCH", odd, then=blobs))
    push(opened(server), Bytes())
    assert methods(server) == "POST PATCH PUT"
    assert list(blobs.blobs) == [digest_of(DATA)]


def test_a_registry_that_takes_nothing_and_says_that_all_is_well(serve: Serve, opened: Open) -> None:
    server = serve(first("PATCH", *[Answer(202, headers={"Range": "0-9"})] * 50, then=Blobs()))
    with pytest.raises(RegistryUnreachable, match="has 10 of 1500000 bytes"):
        push(opened(server), Bytes())


@pytest.mark.parametrize("told", [700_001, 699_999, 10, 9_999_999_999])
def test_a_lie_about_the_offset_costs_the_upload_only(serve: Serve, opened: Open, told: int) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, 700_000)

    def careless(asked: Asked) -> Answer:
        """It appends whatever comes."""
        headers = {name: value for name, value in asked.headers.items() if name != "content-range"}
        return blobs(Asked(asked.method, asked.target, headers, asked.body))

    registry, lie = opened(server), Answer(204, headers={"Range": f"0-{told - 1}"})
    server.script = first("GET", lie, then=first("PATCH", server.script, careless, then=server.script))
    push(registry, Bytes())
    assert list(blobs.blobs) == [digest_of(DATA)]
    assert methods(server).count("POST") == 2


def test_content_that_is_not_what_its_digest_promises(serve: Serve, opened: Open) -> None:
    blobs, content = Blobs(), Bytes()
    content.digest = digest_of(b"other")
    server = serve(blobs)
    with pytest.raises(UploadFailed, match="DIGEST_INVALID: provided digest did not match"):
        push(opened(server), content)
    assert (methods(server), blobs.blobs) == ("POST PATCH PUT", {})


def test_a_registry_that_stores_something_else(serve: Serve, opened: Open) -> None:
    odd = Answer(201, headers={"Docker-Content-Digest": digest_of(b"other")})
    with pytest.raises(UploadFailed, match="has stored sha256:"):
        push(opened(serve(first("PUT", odd, then=Blobs()))), Bytes())


# An upload of an earlier run


def begun(blobs: Blobs, data: bytes) -> str:
    blobs.uploads["old"] = bytearray(data)
    return f"{UPLOADS}old?_state=x"


def test_an_earlier_upload_is_gone_on_with(serve: Serve, opened: Open) -> None:
    blobs, heard = Blobs(), Heard()
    server = serve(blobs)
    earlier = begun(blobs, DATA[:900_000])
    assert push(opened(server), Bytes(), f"{server.url}{earlier}", heard) == len(DATA) - 900_000
    assert methods(server) == "POST GET DELETE PATCH PUT"
    assert (list(blobs.blobs), blobs.uploads) == ([digest_of(DATA)], {})
    assert heard.words == ["resumed at 0.9 MB"]
    assert heard.urls[-1].startswith(f"{server.url}{UPLOADS}old?")


def test_an_earlier_upload_that_was_all_but_committed(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(blobs)
    assert push(opened(server), Bytes(), begun(blobs, DATA)) == 0
    assert methods(server) == "POST GET DELETE PUT"
    blobs.blobs.clear()
    assert push(opened(server), Made(), begun(blobs, DATA)) == 0
    assert list(blobs.blobs) == [digest_of(DATA)]


@pytest.mark.parametrize("status", [401, 403, 405, 410])
def test_a_registry_that_does_not_tell_offsets(serve: Serve, opened: Open, status: int) -> None:
    blobs = Blobs()
    server = serve(blobs)
    cut_after(server, blobs, 900_000)
    registry, content = opened(server), Bytes()
    server.script = first("GET", Answer(status), Answer(status), then=server.script)
    push(registry, content, begun(blobs, DATA[:900_000]))
    assert content.reads == [0, 0]
    assert list(blobs.blobs) == [digest_of(DATA)]


@pytest.mark.parametrize("data", [b"", b"x", DATA + b"more"])
@pytest.mark.parametrize("content", [Bytes, Made])
def test_an_earlier_upload_that_is_no_use(
    serve: Serve, opened: Open, data: bytes, content: Callable[[], Bytes]
) -> None:
    blobs = Blobs()
    push(opened(serve(blobs)), content(), begun(blobs, data))
    assert list(blobs.blobs) == [digest_of(DATA)]


@pytest.mark.parametrize("url", [f"{UPLOADS}gone", "https://other.example/v2/x", "http://[", "\0", "x" * 70_000, ""])
def test_an_earlier_upload_that_is_none(serve: Serve, opened: Open, url: str) -> None:
    blobs, heard = Blobs(), Heard()
    assert push(opened(serve(blobs)), Bytes(), url, heard) == len(DATA)
    assert list(blobs.blobs) == [digest_of(DATA)]
    assert "resumed" not in str(heard.words)


def test_an_earlier_upload_of_something_else(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(blobs)
    push(opened(server), Bytes(), begun(blobs, b"x" * 900_000))
    assert list(blobs.blobs) == [digest_of(DATA)]
    assert methods(server).count("POST") == 2


def test_an_earlier_upload_survives_a_fault(serve: Serve, opened: Open) -> None:
    blobs = Blobs()
    server = serve(first("GET", Answer(503), then=first("POST", Answer(503), then=blobs)))
    content = Bytes()
    push(opened(server), content, begun(blobs, DATA[:900_000]))
    assert content.reads == [900_000]


# Credentials

CREDENTIALS = Credentials("me", "secret")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="r"'}


def writers_only(blobs: Script) -> Script:
    """Open for reading, credentials for writing: as the usual nginx before a registry."""

    def script(asked: Asked) -> Answer:
        if asked.method in ("GET", "HEAD") or asked.authorization == basic("me", "secret"):
            return blobs(asked)
        return Answer(401, headers=CHALLENGE)

    return script


@pytest.mark.parametrize("earlier", [0, 900_000])
def test_no_stream_is_sent_to_learn_of_a_challenge(serve: Serve, opened: Open, earlier: int) -> None:
    blobs = Blobs()
    server = serve(writers_only(blobs))
    url = begun(blobs, DATA[:earlier]) if earlier else None
    assert push(opened(server, credentials=CREDENTIALS), Bytes(), url) == len(DATA) - earlier
    assert list(blobs.blobs) == [digest_of(DATA)]
    assert all(asked.authorization for asked in server.asked if asked.method in ("PATCH", "PUT", "DELETE"))


class Guard:
    """A token server and the registry behind it; `expire` makes the tokens that were given out worthless."""

    def __init__(self, blobs: Script) -> None:
        self.blobs = blobs
        self.number = 0

    def expire(self) -> None:
        self.number += 1

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            return json_answer({"token": f"t{self.number}"})
        if asked.authorization == f"Bearer t{self.number}":
            return self.blobs(asked)
        realm = f'Bearer realm="http://{asked.headers["host"]}/token",scope="repository:team/app:push"'
        return Answer(401, headers={"WWW-Authenticate": realm})


@pytest.mark.parametrize("content", [Bytes, Made])
def test_a_token_that_expires_before_the_stream(serve: Serve, opened: Open, content: Callable[[], Bytes]) -> None:
    blobs = Blobs()
    guard = Guard(blobs)

    def script(asked: Asked) -> Answer:
        answer = guard(asked)
        if asked.method == "POST" and answer.status == 202 and guard.number == 0:
            guard.expire()
        return answer

    server = serve(script)
    made = content()
    push(opened(server), made)
    assert list(blobs.blobs) == [digest_of(DATA)]
    assert made.reads == [0, 0]  # once in vain: a stream is not repeated behind its back


def test_a_token_that_expires_before_the_commit(serve: Serve, opened: Open, pauses: list[float]) -> None:
    blobs = Blobs()
    guard = Guard(blobs)

    def script(asked: Asked) -> Answer:
        answer = guard(asked)
        if asked.method == "PATCH":
            guard.expire()
        return answer

    content = Bytes()
    push(opened(serve(script)), content)
    assert (content.reads, list(blobs.blobs), pauses) == ([0], [digest_of(DATA)], [])


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("status", [401, 403])
def test_not_authorized(serve: Serve, opened: Open, method: str, status: int, pauses: list[float]) -> None:
    server = serve(first(method, error_answer(status, "DENIED", "no"), then=Blobs()))
    with pytest.raises(NotAuthorized, match=f"cannot upload to team/app: .* {status} .*DENIED: no"):
        push(opened(server), Bytes())
    assert pauses == []


def test_wrong_credentials_end_at_once(serve: Serve, opened: Open, pauses: list[float]) -> None:
    server = serve(Answer(401, headers=CHALLENGE))
    with pytest.raises(NotAuthorized, match="also to the password of me"):
        push(opened(server, credentials=CREDENTIALS), Bytes())
    assert (methods(server), pauses) == ("POST POST", [])


# Limits


def limited(blobs: Script, limit: int) -> Script:
    def script(asked: Asked) -> Answer:
        return Answer(413, b"<html>") if len(asked.body) > limit else blobs(asked)

    return script


@pytest.mark.parametrize("content", [Bytes, Made])
def test_where_bodies_are_limited_they_are_smaller(serve: Serve, opened: Open, content: Callable[[], Bytes]) -> None:
    blobs = Blobs()
    server = serve(limited(blobs, 2**20))
    registry = opened(server)
    push(registry, content())
    pieces = [asked.headers.get("content-range") for asked in server.asked if asked.method == "PATCH"]
    assert pieces == [None, "0-999999", "1000000-1499999"]
    assert blobs.blobs == {digest_of(DATA): DATA}
    push(registry, Bytes(DATA[1:]))
    assert methods(server).count("PATCH") == 5, "it is not tried again at the next blob"


def test_a_limit_below_all_that_is_usual(serve: Serve, opened: Open) -> None:
    with pytest.raises(UploadFailed, match="413 Request Entity Too Large") as caught:
        push(opened(serve(limited(Blobs(), 1000))), Bytes())
    assert "client_max_body_size 0" in caught.value.hint


@pytest.mark.parametrize("fault", [Answer(reset=True), Answer(503), Answer(404), Answer(416)])
def test_a_fault_between_pieces(serve: Serve, opened: Open, fault: Answer) -> None:
    blobs = Blobs()
    content = Bytes(DATA * 2)
    script = first("PATCH", limited(blobs, 2**20), blobs, fault, then=limited(blobs, 2**20))
    push(opened(serve(script)), content)
    assert content.reads == [0, 0, 1_000_000]
    assert blobs.blobs == {digest_of(DATA * 2): DATA * 2}


def test_a_proxy_that_buffers_gets_smaller_bodies_after_a_break(
    serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_module, "BUFFERED", 500_000)
    blobs, content = Blobs(), Bytes(DATA * 3)
    script = first("PATCH", Answer(reset=True), blobs, blobs, Answer(reset=True), then=blobs)
    server = serve(script)
    push(opened(server), content)
    assert content.reads == [0, 0, 1_000_000]
    assert blobs.blobs == {digest_of(DATA * 3): DATA * 3}


def test_a_proxy_that_buffers_and_limits(serve: Serve, opened: Open) -> None:
    blobs, content = Blobs(), Bytes(DATA * 7)
    server = serve(first("PATCH", Answer(reset=True), then=limited(blobs, 2**20)))
    push(opened(server), content)
    assert blobs.blobs == {digest_of(DATA * 7): DATA * 7}
    sizes = [len(asked.body) for asked in server.asked if asked.method == "PATCH"]
    assert sizes == [len(DATA) * 7, upload_module.BUFFERED, *[1_000_000] * 10, 500_000]


# Refusals


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("status", [400, 405, 409, 422])
def test_a_refusal_ends_it(serve: Serve, opened: Open, method: str, status: int, pauses: list[float]) -> None:
    server = serve(first(method, error_answer(status, "NAME_INVALID", "invalid name"), then=Blobs()))
    with pytest.raises(UploadFailed, match=f"{status} .*NAME_INVALID: invalid name"):
        push(opened(server), Bytes())
    assert pauses == []


def test_a_repository_that_may_not_be(serve: Serve, opened: Open, pauses: list[float]) -> None:
    with pytest.raises(UploadFailed, match=r"404 .*NAME_UNKNOWN"):
        push(opened(serve(error_answer(404, "NAME_UNKNOWN"))), Bytes())
    assert pauses == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(serve: Serve, opened: Open, method: str, status: int) -> None:
    away = Answer(status, headers={"Location": "/v2/team/app/blobs/uploads/away"})
    server = serve(first(method, away, then=Blobs()))
    with pytest.raises(RegistryUnreachable, match=str(status)) as caught:
        push(opened(server), Bytes())
    assert "without redirecting" in caught.value.hint
    assert not any("away" in line for line in server.lines)


@pytest.mark.parametrize("answer", [Answer(200), Answer(202), Answer(202, headers={"Location": "http://[::1"})])
def test_a_registry_that_opens_nothing(serve: Serve, opened: Open, answer: Answer) -> None:
    with pytest.raises(RegistryUnreachable, match="unusable answer"):
        push(opened(serve(answer)), Bytes())


@pytest.mark.parametrize("error", [Spent, KeyboardInterrupt, ZeroDivisionError])
def test_what_the_content_raises_passes_through(serve: Serve, opened: Open, error: type[BaseException]) -> None:
    class Breaking(Bytes):
        def read(self, offset: int) -> Iterator[bytes]:
            yield self.data[offset : offset + 300_000]
            raise error

    with pytest.raises(error):
        push(opened(serve(Blobs())), Breaking())


def test_an_answer_that_comes_before_all_is_sent(serve: Serve, opened: Open) -> None:
    """A refusal in the middle of a stream is read although the rest cannot be sent any more."""
    server = serve(first("PATCH", error_answer(403, "DENIED", "quota"), then=Blobs()))
    server.reads = lambda method: 100_000 if method == "PATCH" else None
    with pytest.raises(NotAuthorized, match="quota"):
        push(opened(server), Bytes(DATA * 20))


def test_a_success_that_comes_before_all_is_sent(serve: Serve, opened: Open) -> None:
    """What it is about nobody knows, so the registry is asked."""
    blobs, content = Blobs(), Bytes(DATA * 20)
    server = serve(blobs)
    left = iter([100_000])
    server.reads = lambda method: next(left, None) if method == "PATCH" else None
    registry = opened(server)
    server.script = first("PATCH", early(blobs), then=server.script)
    push(registry, content)
    assert (methods(server), content.reads) == ("POST PATCH HEAD GET PATCH PUT", [0, 100_000])


def early(blobs: Blobs) -> Script:
    """A success that does not say what was taken."""

    def script(asked: Asked) -> Answer:
        blobs(asked)
        return Answer(202)

    return script
