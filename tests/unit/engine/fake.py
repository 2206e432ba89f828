"""A small engine behind a real unix socket: it answers the docker SDK as dockerd does, and holds everything in memory.

What it is told to refuse, it refuses; what it was asked, it remembers. Its containers run nothing.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from devreg.server import storage
from tests.unit.engine import stored
from tests.unit.engine.stored import Image

DIGEST = f"sha256:{'d' * 64}"
SOMEBODY_WAS_FASTER = 9
PUSH_LINES: list[dict[str, Any]] = [
    {"status": "The push refers to repository [r/app]"},
    {"status": "Pushing", "id": "aaaaaaaaaaaa", "progressDetail": {"current": 10, "total": 30}},
    {"status": "Pushed", "id": "aaaaaaaaaaaa"},
    {"status": "Layer already exists", "id": "bbbbbbbbbbbb"},
    {"status": f"1: digest: {DIGEST} size: 528"},
    {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 528}},
]
PULL_LINES: list[dict[str, Any]] = [
    {"status": "Pulling from r/app", "id": "1"},
    {"status": "Pull complete", "id": "aaaaaaaaaaaa"},
    {"status": f"Digest: {DIGEST}"},
    {"status": "Status: Downloaded newer image for r/app:1"},
]


@dataclass
class Held:
    """A container: what it was created with, its files, and whether it runs."""

    id: str
    name: str
    config: dict[str, Any]
    running: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    log: bytes = b""

    @property
    def attrs(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Image": f"sha256:{self.config['Image']}",
            "Config": {"Image": self.config["Image"], "Labels": self.config.get("Labels") or {}, "Tty": False},
            "HostConfig": {"RestartPolicy": {"Name": ""}, **(self.config.get("HostConfig") or {})},
            "State": {"Status": "running" if self.running else "exited"},
        }


@dataclass
class Request:
    """One request to the engine."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body or b"{}"))

    @property
    def auth(self) -> dict[str, Any] | None:
        """The credentials that came for the registry."""
        header = self.headers.get("x-registry-auth")
        return None if header is None else dict(json.loads(base64.urlsafe_b64decode(header)))


@dataclass
class Reply:
    """What the engine answers. `chunks`: a stream, which may break off before its end.

    `waits`: the body comes when the client has sent a line.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: list[bytes] | None = None
    breaks_off: bool = False
    waits: bool = False


class FakeEngine:
    """The engine's state.

    `refusals` maps `METHOD /path-prefix` to a status and a message; `seed` holds files that new containers of a name
    find in their volumes; with `breaks_off` streams end in the middle. What is in `meanwhile` happens, one thing each
    time, just before a program runs in a container. `reloads` are the times at which it has read its settings.
    `workers`: how often nginx has reloaded, which it does not while it is `stuck`.
    `contents` is what images consist of, by their id: those that have none cannot be saved. While `saved` has content,
    it is what saving an image gives. `repo_digests` are told of images, by their id. `push_refusals` is why tags are
    not pushed.
    """

    def __init__(self) -> None:
        self.info: dict[str, Any] = {
            "ServerVersion": "28.5.2",
            "OSType": "linux",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "Driver": "overlay2",
            "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": ["127.0.0.0/8"], "Mirrors": None},
        }
        self.version: dict[str, Any] = {**_VERSION}
        self.images: dict[str, str] = {}
        self.repo_digests: dict[str, list[str]] = {}
        self.contents: dict[str, Image] = {}
        self.saved: list[bytes] = []
        self.containers: dict[str, Held] = {}
        self.networks: dict[str, dict[str, str]] = {}
        self.volumes: dict[str, dict[str, str]] = {}
        self.push_lines = list(PUSH_LINES)
        self.push_refusals: dict[str, str] = {}
        self.pull_lines = list(PULL_LINES)
        self.reloads: list[float] = []
        self.seed: dict[str, dict[str, bytes]] = {}
        self.printed: dict[str, bytes] = {storage.USAGE: b"9000\n7\n2\n", storage.UPLOADS: b"app\tid-1\t500\t3\n"}
        self.breaks_off = False
        self.streamed = False
        self.workers = 0
        self.stuck = False
        self.meanwhile: list[Callable[[Held], None]] = []
        self.refusals: dict[str, tuple[int, str]] = {}
        self.asked: list[Request] = []
        self._made = 0
        self._execs: dict[str, tuple[Held, list[str]]] = {}
        self._codes: dict[str, int] = {}

    def hold(self, name: str, image: str = "some/image", *, running: bool = True, **config: Any) -> Held:
        """A container that is there already."""
        held = Held(f"{self._made:012x}{'0' * 52}", name, {"Image": image, **config}, running)
        self._made += 1
        self.containers[held.id] = held
        return held

    def keeps_in_containerd(self) -> None:
        """Images are blobs in containerd's store from now on."""
        self.info["DriverStatus"] = [["driver-type", "io.containerd.snapshotter.v1"]]

    @property
    def has_containerd(self) -> bool:
        return "DriverStatus" in self.info

    def add(self, name: str, image: Image) -> str:
        """An image under a name; its id."""
        self.images[name] = id = image.manifest_digest if self.has_containerd else image.id
        self.contents[id] = image
        return id

    def named(self, name: str) -> str | None:
        """The id of an image, by its name, its id or the beginning of that."""
        whole = name if name.startswith("sha256:") else f"sha256:{name}"
        ids = (id for id in self.images.values() if id.startswith(whole))
        return self.images.get(name) or self.images.get(f"{name}:latest") or next(ids, None)

    def requests(self, method: str, pattern: str) -> list[Request]:
        """What it was asked."""
        return [each for each in self.asked if each.method == method and re.search(pattern, each.path)]

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        for refused, (status, message) in self.refusals.items():
            if f"{request.method} {request.path}".startswith(refused):
                return _json({"message": message}, status)
        for method, pattern, route in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if method == request.method and match:
                return route(self, request, *match.groups())
        return _json({"message": f"page not found: {request.method} {request.path}"}, 404)

    def find(self, name: str) -> Held | None:
        return self.containers.get(name) or next((each for each in self.containers.values() if each.name == name), None)

    def exec(self, held: Held, command: list[str]) -> str:
        self._execs[id := f"exec{len(self._execs)}"] = (held, command)
        return id

    def run_exec(self, id: str) -> bytes:
        """Run what devreg runs, and give what it prints: a script of `printed`, or the one that changes a file.

        There `.new` takes the file's place if the file still equals `.old`.
        """
        held, (shell, option, script, name, path, *rest) = self._execs[id]
        assert (shell, option, name) == ("sh", "-c", "sh")
        if script.startswith("read -r go"):
            self._codes[id] = 0
            return self.printed[script.partition("\n")[2]]
        (given,) = rest
        assert 'cmp -s - "$2.old"' in script
        if self.meanwhile:
            self.meanwhile.pop(0)(held)
        old, new = held.files.pop(f"{given}.old"), held.files.pop(f"{given}.new")
        same = held.files.get(path, b"") == old
        if same:
            held.files[path] = new
        self._codes[id] = 0 if same else SOMEBODY_WAS_FASTER
        return b""

    def waits_for_a_line(self, id: str) -> bool:
        """Whether a script is to begin only when it is told to."""
        return self._execs[id][1][2].startswith("read -r go")

    def exit_code(self, id: str) -> int:
        return self._codes[id]


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _lines(engine: FakeEngine, lines: list[dict[str, Any]]) -> Reply:
    engine.streamed = True
    chunks = [json.dumps(line).encode() + b"\r\n" for line in lines]
    return Reply(200, b"", {}, chunks, breaks_off=engine.breaks_off)


def _missing(what: str, name: str) -> Reply:
    return _json({"message": f"No such {what}: {name}"}, 404)


def _inspect_image(engine: FakeEngine, _request: Request, name: str) -> Reply:
    id = engine.named(name)
    if id is None:
        return _missing("image", name)
    content = engine.contents.get(id, Image(()))
    return _json(
        {
            "Id": id,
            "RepoDigests": engine.repo_digests.get(id),
            "RepoTags": [tag for tag, each in engine.images.items() if each == id],
            "RootFS": {"Type": "layers", "Layers": content.diff_ids},
            "Size": sum(map(len, content.layers)),
            "Os": "linux",
            "Architecture": "amd64",
        }
    )


def _list_images(engine: FakeEngine, _request: Request) -> Reply:
    named = {id: [name for name, of in engine.images.items() if of == id] for id in engine.images.values()}
    return _json([{"Id": id, "RepoTags": names} for id, names in named.items()])


def _history(engine: FakeEngine, _request: Request, name: str) -> Reply:
    """From the top down, with a step that made no layer."""
    id = engine.named(name)
    if id is None:
        return _missing("image", name)
    layers = engine.contents.get(id, Image(())).layers
    return _json([{"Id": id, "Size": 0}, *({"Id": "<missing>", "Size": len(each)} for each in reversed(layers))])


def _save(engine: FakeEngine, _request: Request, name: str) -> Reply:
    """As HTTP/1.0: the answer ends where the connection does."""
    id = engine.named(name)
    if id is None:
        return _missing("image", name)
    content = engine.contents[id]
    if engine.saved:
        body = engine.saved.pop(0)
    else:
        whole = engine.has_containerd
        body = stored.tarred(stored.layout(content)) if whole else stored.docker_archive([(content, ())])
    return Reply(200, body, {"Content-Type": "application/x-tar", "Connection": "close"})


def _tag(engine: FakeEngine, request: Request, name: str) -> Reply:
    id = engine.named(name)
    if id is None:
        return _missing("image", name)
    engine.images[f"{request.query['repo']}:{request.query['tag']}"] = id
    return Reply(201)


def _push(engine: FakeEngine, request: Request, _name: str) -> Reply:
    refused = engine.push_refusals.get(request.query.get("tag", ""))
    return _lines(engine, [{"error": refused}] if refused else engine.push_lines)


def _create_image(engine: FakeEngine, request: Request) -> Reply:
    if "fromSrc" in request.query:
        engine.images[f"{request.query['repo']}:{request.query['tag']}"] = "sha256:1"
        return _json({"status": "sha256:1"})
    if not any("error" in line for line in engine.pull_lines):
        engine.images[f"{request.query['fromImage']}:{request.query['tag']}"] = "sha256:2"
    return _lines(engine, engine.pull_lines)


def _remove_image(engine: FakeEngine, _request: Request, name: str) -> Reply:
    if users := [each.id for each in engine.containers.values() if each.config["Image"] == name]:
        return _json({"message": f"conflict: unable to remove {name}: container {users[0]} is using it"}, 409)
    del engine.images[name]
    return _json([{"Untagged": name}])


def _list_containers(engine: FakeEngine, request: Request) -> Reply:
    labels = json.loads(request.query.get("filters", "{}")).get("label", [])
    everything = request.query.get("all") == "1"
    return _json(
        [
            {"Id": each.id}
            for each in engine.containers.values()
            if (everything or each.running) and all(label in (each.config.get("Labels") or {}) for label in labels)
        ]
    )


def _create_container(engine: FakeEngine, request: Request) -> Reply:
    if conflict := _taken(engine, request.query["name"]):
        return conflict
    held = engine.hold(request.query["name"], request.json["Image"], running=False)
    held.config = request.json
    held.files.update(engine.seed.get(held.name, {}))
    return _json({"Id": held.id}, 201)


def _taken(engine: FakeEngine, name: str) -> Reply | None:
    found = next((each for each in engine.containers.values() if each.name == name), None)
    return _json({"message": f"The name {name} is in use by container {found.id}"}, 409) if found else None


def _with_container(act: Callable[[FakeEngine, Request, Held], Reply]) -> Callable[..., Reply]:
    def route(engine: FakeEngine, request: Request, name: str) -> Reply:
        held = engine.find(name)
        return act(engine, request, held) if held else _missing("container", name)

    return route


def _run(running: bool) -> Callable[[FakeEngine, Request, Held], Reply]:
    def act(_engine: FakeEngine, _request: Request, held: Held) -> Reply:
        held.running = running
        return Reply(204)

    return act


def _rename(engine: FakeEngine, request: Request, held: Held) -> Reply:
    if conflict := _taken(engine, request.query["name"]):
        return conflict
    held.name = request.query["name"]
    return Reply(204)


def _remove_container(engine: FakeEngine, _request: Request, held: Held) -> Reply:
    del engine.containers[held.id]
    return Reply(204)


def _kill(engine: FakeEngine, request: Request, _held: Held) -> Reply:
    """A reload: nginx has a new worker from now on, and the old one is leaving."""
    assert request.query["signal"] == "HUP"
    engine.workers += not engine.stuck
    return Reply(204)


def _top(engine: FakeEngine, _request: Request, _held: Held) -> Reply:
    titles = [
        f"nginx: worker process{' is shutting down' if n < engine.workers else ''}" for n in range(engine.workers + 1)
    ]
    rows = [["1", "nginx: master process nginx"], *([str(n + 10), title] for n, title in enumerate(titles))]
    return _json({"Titles": ["PID", "COMMAND"], "Processes": rows})


def _put(_engine: FakeEngine, request: Request, held: Held) -> Reply:
    with tarfile.open(fileobj=io.BytesIO(request.body)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            held.files[f"{request.query['path']}/{member.name}"] = content.read() if content else b""
    return Reply()


def _get(_engine: FakeEngine, request: Request, held: Held) -> Reply:
    path = request.query["path"]
    if path not in held.files:
        return _json({"message": f"Could not find the file {path} in container {held.name}"}, 404)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(Path(path).name)
        member.size = len(held.files[path])
        archive.addfile(member, io.BytesIO(held.files[path]))
    stat = base64.b64encode(json.dumps({"name": path, "size": len(held.files[path])}).encode()).decode()
    return Reply(200, buffer.getvalue(), {"X-Docker-Container-Path-Stat": stat})


def _logs(_engine: FakeEngine, _request: Request, held: Held) -> Reply:
    return Reply(200, _framed(held.log))


def _framed(output: bytes) -> bytes:
    """Standard output, as the engine marks it."""
    return b"\1\0\0\0" + len(output).to_bytes(4, "big") + output


def _run_exec(engine: FakeEngine, _request: Request, id: str) -> Reply:
    said = engine.run_exec(id)
    return Reply(200, _framed(said) if said else b"", {"Connection": "close"}, waits=engine.waits_for_a_line(id))


def _create_network(engine: FakeEngine, request: Request) -> Reply:
    engine.networks[request.json["Name"]] = request.json.get("Labels") or {}
    return _json({"Id": request.json["Name"]}, 201)


def _list_networks(engine: FakeEngine, request: Request) -> Reply:
    filters = json.loads(request.query.get("filters", "{}"))
    return _json(
        [
            {"Id": name, "Name": name, "Labels": labels}
            for name, labels in engine.networks.items()
            if all(part in name for part in filters.get("name", []))
            and all(label in labels for label in filters.get("label", []))
        ]
    )


def _volume(engine: FakeEngine, _request: Request, name: str) -> Reply:
    if name not in engine.volumes:
        return _missing("volume", name)
    return _json({"Name": name, "Labels": engine.volumes[name] or None})


def _create_volume(engine: FakeEngine, request: Request) -> Reply:
    name = request.json["Name"]
    engine.volumes[name] = request.json.get("Labels") or {}
    return _json({"Name": name}, 201)


def _forget(kind: str) -> Callable[[FakeEngine, Request, str], Reply]:
    def route(engine: FakeEngine, _request: Request, name: str) -> Reply:
        del getattr(engine, kind)[name]
        return Reply(204)

    return route


def _events(engine: FakeEngine, request: Request) -> Reply:
    """Only those of reloads, and without waiting for more."""
    if json.loads(request.query["filters"]) != {"type": ["daemon"], "event": ["reload"]}:
        return _lines(engine, [])
    since, until = float(request.query["since"]), float(request.query["until"])
    told = [
        {"Type": "daemon", "Action": "reload", "time": int(at), "timeNano": int(at * 1e9)}
        for at in engine.reloads
        if since <= at <= until
    ]
    return _lines(engine, told)


def _distribution(engine: FakeEngine, _request: Request, name: str) -> Reply:
    if name in engine.images:
        return _json({"Descriptor": {"digest": DIGEST}, "Platforms": []})
    return _json({"message": "manifest unknown: manifest unknown"}, 404)


_VERSION = {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "28.5.2", "Components": [{"Name": "Engine"}]}
_ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", "/version", lambda engine, _request: _json(engine.version)),
    ("GET", "/_ping", lambda _engine, _request: Reply(200, b"OK")),
    ("GET", "/info", lambda engine, _request: _json(engine.info)),
    ("GET", "/events", _events),
    ("GET", "/distribution/(.+)/json", _distribution),
    ("GET", "/images/json", _list_images),
    ("GET", "/images/(.+)/json", _inspect_image),
    ("GET", "/images/(.+)/history", _history),
    ("GET", "/images/(.+)/get", _save),
    ("POST", "/images/create", _create_image),
    ("POST", "/images/(.+)/tag", _tag),
    ("POST", "/images/(.+)/push", _push),
    ("DELETE", "/images/(.+)", _remove_image),
    ("GET", "/containers/json", _list_containers),
    ("POST", "/containers/create", _create_container),
    ("GET", "/containers/([^/]+)/json", _with_container(lambda _engine, _request, held: _json(held.attrs))),
    ("POST", "/containers/([^/]+)/start", _with_container(_run(True))),
    ("POST", "/containers/([^/]+)/stop", _with_container(_run(False))),
    ("POST", "/containers/([^/]+)/kill", _with_container(_kill)),
    ("GET", "/containers/([^/]+)/top", _with_container(_top)),
    ("POST", "/containers/([^/]+)/rename", _with_container(_rename)),
    ("DELETE", "/containers/([^/]+)", _with_container(_remove_container)),
    ("PUT", "/containers/([^/]+)/archive", _with_container(_put)),
    ("GET", "/containers/([^/]+)/archive", _with_container(_get)),
    ("GET", "/containers/([^/]+)/logs", _with_container(_logs)),
    (
        "POST",
        "/containers/([^/]+)/exec",
        _with_container(lambda engine, request, held: _json({"Id": engine.exec(held, request.json["Cmd"])}, 201)),
    ),
    ("POST", "/exec/([^/]+)/start", _run_exec),
    ("GET", "/exec/([^/]+)/json", lambda engine, _request, id: _json({"ExitCode": engine.exit_code(id)})),
    ("GET", "/networks", _list_networks),
    ("GET", "/networks/([^/]+)", lambda _engine, _request, name: _json({"Id": name, "Name": name})),
    ("POST", "/networks/create", _create_network),
    ("DELETE", "/networks/([^/]+)", _forget("networks")),
    (
        "GET",
        "/volumes",
        lambda engine, _request: _json({"Volumes": [{"Name": name, "Id": name} for name in engine.volumes]}),
    ),
    ("GET", "/volumes/([^/]+)", _volume),
    ("POST", "/volumes/create", _create_volume),
    ("DELETE", "/volumes/([^/]+)", _forget("volumes")),
]


@contextmanager
def listening(path: Path) -> Iterator[FakeEngine]:
    """An engine that answers at the socket `path` until the end of the block."""
    engine = FakeEngine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            url = urlsplit(self.path)
            request = Request(
                self.command,
                unquote(re.sub(r"^/v[0-9.]+(?=/)", "", url.path)),
                {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()},
                {key.lower(): value for key, value in self.headers.items()},
                self._body(),
            )
            reply = engine.answer(request)
            self.send_response(reply.status)
            for key, value in reply.headers.items():
                self.send_header(key, value)
            if reply.headers.get("Connection") == "close":
                self.close_connection = True
            elif reply.chunks is not None:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.waits:
                self.rfile.readline()
            self.wfile.write(reply.body)
            self._stream(reply)

        def _stream(self, reply: Reply) -> None:
            for chunk in reply.chunks or ():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if reply.breaks_off:
                self.wfile.write(b"50\r\n{")
                self.close_connection = True
            elif reply.chunks is not None:
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            pass

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

    class Server(ThreadingMixIn, UnixStreamServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # clients that were interrupted hang up
                super().handle_error(request, client_address)

    with Server(str(path), Handler) as server:
        thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
