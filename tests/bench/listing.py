"""Listings side by side with what the registry itself needs: a thousand tags, then ten thousand repositories."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.taking_turns import Side, figures, ratio, take_turns
from tests.live.lab.devreg import Devreg
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run

TAGS, REPOSITORIES = 1000, 10_000
IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
# wrk asks for what stands in a file, line by line, until its time is over: so many requests tell seconds for `TAGS`.
WRK_SECONDS, WRK_CONNECTIONS = 2, 8
LUA = """
local at, paths = 0, {}
for path in io.lines("@PATHS@") do paths[#paths + 1] = path end
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at], {["Accept"] = "@ACCEPT@"})
end
"""


def compare(user: Devreg, folder: Path, cache: Path, rounds: int) -> None:
    """Every listing."""
    folder.mkdir()
    with plain_registry(folder, cache) as server:
        paths = _fill(server)
        _tags(user, server, paths, folder, rounds)
        _completion(user, server, rounds)
    _repositories(user, folder, cache)


def _tags(user: Devreg, server: Server, paths: Mapping[str, list[str]], folder: Path, rounds: int) -> None:
    name, single = f"{server.address}/app", f"{server.address}/one"
    user.ok("tags", name)
    times = take_turns(
        {
            "devreg tags, cold": _prepared(lambda: _forget(user), lambda: user.ok("tags", name)),
            "devreg tags, warm": _prepared(lambda: user.ok("tags", name), lambda: user.ok("tags", name)),
            "devreg --version": _prepared(None, lambda: user.ok("--version")),
            "devreg tags of one": _prepared(lambda: user.ok("tags", single), lambda: user.ok("tags", single)),
            "wrk, manifests": _prepared(None, lambda: _wrk(server, paths["manifests"], folder / "manifests")),
            "wrk, configs": _prepared(None, lambda: _wrk(server, paths["configs"], folder / "configs")),
            "ab, HEADs": _prepared(None, lambda: _heads(server, paths["manifests"][0])),
            "skopeo under xargs -P4": _prepared(None, lambda: _skopeo(name)),
        },
        rounds,
    )
    figures(f"{TAGS} tags of distinct images", times)
    ratio("cold / wrk", times["devreg tags, cold"], times["wrk, manifests"] + times["wrk, configs"])
    ratio("skopeo / cold", times["skopeo under xargs -P4"], times["devreg tags, cold"])
    for start in ("devreg --version", "devreg tags of one"):
        ratio(f"warm without {start} / HEADs", times["devreg tags, warm"] - times[start], times["ab, HEADs"])


def _completion(user: Devreg, server: Server, rounds: int) -> None:
    """The names are known: they are of the listing before."""
    words = {"_DEVREG_COMPLETE": "bash", "_DEVREG_LINE": f"devreg tags {server.address}/a"}
    times = take_turns(
        {
            "TAB": _prepared(None, lambda: user("", env=words)),
            "devreg --help": _prepared(None, lambda: user.ok("--help")),
            "import typer": _prepared(None, lambda: run(sys.executable, "-c", "import typer")),
        },
        4 * rounds,
    )
    figures("completion and help", times)
    ratio("devreg --help / import typer", times["devreg --help"], times["import typer"])


def _repositories(user: Devreg, folder: Path, cache: Path) -> None:
    """The memory of `devreg repos` for few and for many repositories, which are folders to this registry."""
    for number in (REPOSITORIES // 100, REPOSITORIES):
        place = folder / str(number)
        for at in range(number):
            (place / f"data/docker/registry/v2/repositories/team{at % 100}/app{at}/_layers").mkdir(parents=True)
            (place / f"data/docker/registry/v2/repositories/team{at % 100}/app{at}/_manifests").mkdir()
        with plain_registry(place, cache) as server:
            seconds, kilobytes, lines = _measured(user.command("repos", server.address))
            assert lines == number
        print(f"{number} repositories: {seconds:.2f} s, {kilobytes / 1024:.0f} MiB at most", flush=True)


def _measured(words: Sequence[str]) -> tuple[float, int, int]:
    """Seconds, peak resident memory in KiB, and lines printed."""
    code = (
        "import resource, subprocess, sys, time; begun = time.monotonic();"
        "out = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE).stdout;"
        "print(time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, out.count(b'\\n'))"
    )
    seconds, kilobytes, lines = run("python3", "-c", code, *words, timeout=600).stdout.split()
    return float(seconds), int(kilobytes), int(lines)


def _prepared(before: Callable[[], object] | None, call: Callable[[], object]) -> Side:
    @contextmanager
    def side() -> Iterator[Callable[[], object]]:
        if before is not None:
            before()
        yield call

    return side


def _forget(user: Devreg) -> None:
    shutil.rmtree(user.folder / "cache", ignore_errors=True)


def _skopeo(name: str) -> None:
    """The configs of all tags, four at a time, as `xargs` does it."""
    program = need("skopeo", "skopeo")
    listed = json.loads(run(program, "list-tags", "--tls-verify=false", f"docker://{name}").stdout)["Tags"]
    words = ["xargs", "-P4", "-I{}", program, "inspect", "--config", "--tls-verify=false", f"docker://{name}:{{}}"]
    subprocess.run(words, input="\n".join(listed), text=True, check=True, stdout=subprocess.DEVNULL)


def _wrk(server: Server, paths: Sequence[str], folder: Path) -> float:
    """Seconds that wrk needs for `TAGS` requests."""
    folder.mkdir(exist_ok=True)
    (folder / "paths").write_text("\n".join(paths) + "\n")
    script = LUA.replace("@PATHS@", str(folder / "paths")).replace("@ACCEPT@", IMAGE)
    (folder / "ask.lua").write_text(script)
    words = ("-t2", f"-c{WRK_CONNECTIONS}", f"-d{WRK_SECONDS}s", "-s", str(folder / "ask.lua"))
    said = run(need("wrk", "wrk"), *words, f"http://{server.address}").stdout
    rate = next(line.split()[1] for line in said.splitlines() if line.startswith("Requests/sec"))
    return TAGS / float(rate)


def _heads(server: Server, path: str) -> float:
    """Seconds for `TAGS` HEADs by ab: wrk waits for ever for the bodies that their answers announce."""
    words = ("-q", "-k", "-i", "-n", str(TAGS), "-c", str(WRK_CONNECTIONS), "-H", f"Accept: {IMAGE}")
    said = run(need("ab", "apache2-utils"), *words, f"http://{server.address}{path}").stdout
    return float(next(line.split()[4] for line in said.splitlines() if line.startswith("Time taken")))


def _fill(server: Server) -> dict[str, list[str]]:
    """Give `app` its tags, each an image with a config of its own, and `one` a single one; the paths of the manifests
    and configs of `app`."""
    registry = http.client.HTTPConnection("127.0.0.1", server.port)
    _images(registry, "one", 1)
    paths = _images(registry, "app", TAGS)
    registry.close()
    return {"manifests": [manifest for manifest, _ in paths], "configs": [config for _, config in paths]}


def _images(registry: http.client.HTTPConnection, repository: str, tags: int) -> list[tuple[str, str]]:
    """Upload images, one for each tag. The paths of their manifests and configs."""
    layer = _upload(registry, repository, b"x" * 1000)
    paths = []
    for number in range(tags):
        config = _config(number)
        digest = _upload(registry, repository, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest},
            "layers": [{"mediaType": LAYER, "size": 1000, "digest": layer}],
        }
        path = f"/v2/{repository}/manifests/1.{number}.0"
        _ask(registry, "PUT", path, json.dumps(manifest).encode(), {"Content-Type": IMAGE})
        paths.append((path, f"/v2/{repository}/blobs/{digest}"))
    return paths


def _config(number: int) -> bytes:
    """As large as a small image's config is."""
    config = {
        "created": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00Z",
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": [f"BUILD={number}"], "Labels": {f"org.example.{key}": "v" * 30 for key in range(20)}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]},
        "history": [{"created_by": f"RUN make part-{part} " * 5} for part in range(10)],
    }
    return json.dumps(config).encode()


def _upload(registry: http.client.HTTPConnection, repository: str, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    place = _ask(registry, "POST", f"/v2/{repository}/blobs/uploads/", b"", {})
    _ask(registry, "PUT", f"{place}&digest={digest}", content, {"Content-Type": "application/octet-stream"})
    return digest


def _ask(registry: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
    registry.request(method, path, body, headers)
    answer = registry.getresponse()
    answer.read()
    assert answer.status in (201, 202), f"{method} {path}: {answer.status}"
    return answer.getheader("Location", "")
